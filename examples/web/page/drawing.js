/** Pictures: the last seconds of sound with the notes in it, and one note's spectrogram. */
import { Fourier } from "./lib/fourier.js";

export const SECONDS = 12; // of the wave
const QUIET = -60; // dB: what is drawn as a line
const DYNAMICS = 70; // dB of a spectrogram
const TOP = 8000; // Hz

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The last seconds of sound: peaks come in, and notes, and are drawn on a canvas. */
export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
  }

  clear() {
    this.peaks = []; // [second, peak]
    this.notes = [];
    this.seconds = 0;
    this.draw();
  }

  /** Take the peaks, in dB, of what was heard until now. */
  add(peaks, seconds) {
    const before = this.seconds;
    peaks.forEach((peak, i) => {
      this.peaks.push([before + ((seconds - before) * (i + 1)) / peaks.length, peak]);
    });
    this.seconds = seconds;
    const first = this.peaks.findIndex(([time]) => time > seconds - SECONDS);
    if (first > 0) this.peaks.splice(0, first);
    this.notes = this.notes.filter(({ onset }) => onset > seconds - SECONDS - 5);
    this.draw();
  }

  mark(note) {
    this.notes.push(note);
    this.draw();
  }

  draw() {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const start = Math.max(0, this.seconds - SECONDS);
    const x = (time) => ((time - start) / SECONDS) * width;
    for (const { onset, offset, kind } of this.notes) {
      context.fillStyle = color(kind === "other" ? "unsure" : kind);
      const end = x(offset ?? this.seconds);
      context.globalAlpha = 0.25;
      context.fillRect(x(onset), 0, Math.max(2, end - x(onset)), height);
      context.globalAlpha = 1;
      context.fillRect(x(onset), 0, 3, height);
    }
    context.fillStyle = color("main");
    for (const [time, peak] of this.peaks) {
      const size = Math.max(1, Math.min(1, (peak - QUIET) / -QUIET) * height);
      context.fillRect(x(time) - 2, (height - size) / 2, 3, size);
    }
  }
}

/** A spectrogram of 16-bit samples. */
export function drawSpectrogram(canvas, sound, sampleRate) {
  const size = 1024;
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const fourier = new Fourier(size);
  const nBins = Math.min(size / 2, Math.ceil((TOP / sampleRate) * size));
  const power = new Float64Array(nBins);
  const frame = new Float64Array(size);
  const columns = [];
  for (let column = 0; column < width; column++) {
    const middle = Math.round(((column + 0.5) / width) * sound.length);
    for (let i = 0; i < size; i++) {
      const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / size);
      frame[i] = (weight * (sound[middle - size / 2 + i] ?? 0)) / 32768;
    }
    columns.push(Array.from(fourier.power(frame, nBins, power), (p) => 10 * Math.log10(p + 1e-9)));
  }
  const loudest = columns.flat().reduce((most, value) => Math.max(most, value), -90);
  const image = context.createImageData(width, height);
  columns.forEach((levels, column) => {
    for (let row = 0; row < height; row++) {
      const level = levels[Math.floor(((height - 1 - row) / height) * nBins)];
      const share = Math.max(0, Math.min(1, (level - loudest + DYNAMICS) / DYNAMICS));
      const at = 4 * (row * width + column);
      image.data[at] = 255 * Math.min(1, 1.6 * share ** 1.4);
      image.data[at + 1] = 220 * share ** 2;
      image.data[at + 2] = 70 + 120 * Math.sin(Math.PI * share);
      image.data[at + 3] = 255;
    }
  });
  context.putImageData(image, 0, 0);
}
