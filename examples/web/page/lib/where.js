/**
 * Where in a note its answer was heard: the part without which the model is least sure of it, "all"
 * if it is as sure without each, and "" of a short note. Before each of the three questions that this
 * takes, `first` may do what cannot wait.
 */
const LEAST = 0.05; // by so much the answer must become less likely without a part
const SHORTEST = 0.1; // seconds of a part: of shorter notes it is not asked
const FADE = 0.01; // seconds over which the two sides of a cut melt into each other

export async function whereHeard(model, { samples, sampleRate, instrument }, told, first) {
  const third = Math.floor(samples.length / 3);
  if (third < SHORTEST * sampleRate) return "";
  const { answer, level } = told;
  const whole = model.likelihood(told, answer, level);
  const parts = {
    beginning: samples.subarray(third),
    middle: joined(samples, third, 2 * third, Math.round(FADE * sampleRate)),
    end: samples.subarray(0, samples.length - third),
  };
  let found = "all";
  let most = LEAST;
  for (const [name, rest] of Object.entries(parts)) {
    await first?.();
    const without = await model.judge(rest, sampleRate, instrument);
    const drop = whole - model.likelihood(without, answer, level);
    if (drop > most) [found, most] = [name, drop];
  }
  return found;
}

function joined(samples, start, stop, fade) {
  const rest = new Float32Array(samples.length - (stop - start));
  rest.set(samples.subarray(0, start));
  rest.set(samples.subarray(stop), start);
  for (let i = 0; i < Math.min(fade, start); i++) {
    const share = (i + 0.5) / fade;
    const at = start - fade + i;
    rest[at] = (1 - share) * samples[at] + share * samples[stop - fade + i];
  }
  return rest;
}
