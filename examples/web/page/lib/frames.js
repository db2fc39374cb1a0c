/**
 * Frames of a stream: levels in bands of frequency, relative to what was loudest of late.
 * The twin of sknote/audio/segmentation/_frames.py.
 */
import { fastLength, Fourier } from "./fourier.js";
import { joined, round } from "./numbers.js";

export const HOP = 0.01; // seconds from frame to frame
export const N_LOW = 126;
export const N_HIGH = 49;

// Rise and fall of the window (seconds), lowest frequency (Hz), bands, bands an octave
const VIEWS = [
  [0.0695, 0.023, 65.4, N_LOW, 24],
  [0.0145, 0.0087, 150.0, N_HIGH, 8],
];
const NARROWEST = 11.0; // Hz from the centre of a band to its ends, at least
const POWER_FLOOR = 1e-10;
const QUIET = -50.0; // dB of full scale: what is never louder than this stays small
const RANGE = 70.0; // dB below the loudest that are told apart
const RELEASE = 5.0; // dB a second by which the loudest is forgotten

export class FrameStream {
  constructor(sampleRate) {
    this.views = VIEWS.map((view) => makeView(sampleRate, ...view));
    this.hop = HOP * sampleRate;
    this.longest = Math.max(...this.views.map((view) => view.window.length));
    this.samples = new Float32Array(this.longest);
    this.start = -this.longest; // of the samples that are held, in samples of the stream
    this.nFrames = 0;
    this.loudest = QUIET;
  }

  /** Call `take` with each frame that ends within what came so far, `samples` included. */
  push(samples, take) {
    this.samples = joined([this.samples, samples]);
    const end = this.start + this.samples.length;
    for (;;) {
      const stop = round((this.nFrames + 1) * this.hop);
      if (stop > end) break;
      this.nFrames += 1;
      take(this._frame(stop - this.start));
    }
    const done = round(this.nFrames * this.hop) - this.longest - this.start;
    if (done > 0) {
      this.samples = this.samples.slice(done);
      this.start += done;
    }
  }

  _frame(stop) {
    const levels = new Float32Array(N_LOW + N_HIGH);
    let at = 0;
    for (const { window, fourier, bank, nUsed, held, power } of this.views) {
      const first = stop - window.length;
      for (let i = 0; i < window.length; i++) held[i] = this.samples[first + i] * window[i];
      fourier.power(held, nUsed, power);
      for (const { from, weights } of bank) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += power[from + i] * weights[i];
        levels[at++] = 10 * Math.log10(sum + POWER_FLOOR);
      }
    }
    let highest = -Infinity;
    for (let i = 0; i < N_LOW; i++) highest = Math.max(highest, levels[i]);
    this.loudest = Math.max(this.loudest - RELEASE * HOP, highest, QUIET);
    return levels.map((level) =>
      Math.min(Math.max((level - this.loudest + RANGE) / RANGE, 0), 1.3),
    );
  }
}

function makeView(sampleRate, rise, fall, lowest, nBands, width) {
  const slope = (n) =>
    Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / n));
  const raw = [...slope(round(rise * sampleRate)), ...slope(round(fall * sampleRate)).reverse()];
  const scale = 2 / raw.reduce((sum, value) => sum + value, 0); // a sine of amplitude 1 has power 1
  const window = Float32Array.from(raw, (value) => value * scale);
  const size = fastLength(window.length);
  const step = sampleRate / size;
  const centre = (i) => lowest * 2 ** ((i - 1) / width);
  const bank = [];
  let nUsed = 1;
  for (let i = 0; i < nBands; i++) {
    const middle = centre(i + 1);
    const narrowest = Math.max(NARROWEST, step);
    const upper = Math.max(centre(i + 2), middle + narrowest);
    const lower = Math.min(centre(i), middle - narrowest);
    const from = Math.max(0, Math.floor(lower / step));
    const to = Math.min(Math.ceil(upper / step), Math.floor(size / 2));
    const weights = [];
    for (let k = from; k <= to; k++) {
      const rising = (k * step - lower) / (middle - lower);
      const falling = (upper - k * step) / (upper - middle);
      weights.push(Math.max(0, Math.min(rising, falling)));
    }
    bank.push({ from, weights: Float32Array.from(weights) });
    nUsed = Math.max(nUsed, from + weights.length);
  }
  const held = new Float32Array(window.length);
  return { window, fourier: new Fourier(size), bank, nUsed, held, power: new Float64Array(nUsed) };
}
