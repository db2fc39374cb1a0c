/** Loudness of chunks of sound, in dB of full scale. */
const LOWEST = -100;

export function peakOf(samples) {
  let peak = 0;
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i]));
  return Math.max(LOWEST, 20 * Math.log10(peak));
}

/** What to tell a player whose notes had these peaks, and who was quiet for so many seconds. */
export function advice(peaks, quietSeconds) {
  const last = peaks.slice(-4);
  if (last.filter((peak) => peak > -0.3).length >= 2) return "levelSofter";
  if (last.length === 0) return quietSeconds > 6 ? "levelNothing" : "";
  if (last.length >= 2 && last.every((peak) => peak < -38)) return "levelLouder";
  return "levelFine";
}
