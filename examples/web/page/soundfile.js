/** A recording in a file, decoded by the browser at the file's own rate. */
import { Problem } from "./lib/problem.js";

const MINUTES = 20;
const MOST_SAMPLES = 1.2e8; // of all channels; they take four bytes each
const USUAL_RATE = 44100;

/** Returns mono samples and their rate; what cannot be read is a Problem with the file's name. */
export async function readSound(file) {
  const about = { name: file.name, minutes: MINUTES };
  const fail = (code) => Object.assign(new Problem(code, file.name), { values: about });
  if (file.size === 0) throw fail("fileEmpty");
  const head = new DataView(await file.slice(0, 128).arrayBuffer());
  const { rate, channels, isEmpty } = headerOf(head, file.size);
  if (isEmpty) throw fail("fileEmpty");
  const seconds = await durationOf(file);
  const isLong = seconds > 60 * MINUTES || seconds * rate * channels > MOST_SAMPLES;
  if (isLong || file.size > 4 * MOST_SAMPLES) throw fail("fileLong");
  let buffer;
  try {
    const bytes = await file.arrayBuffer();
    const context = new OfflineAudioContext(1, 1, isPossible(rate) ? rate : USUAL_RATE);
    buffer = await context.decodeAudioData(bytes);
  } catch {
    throw fail("fileNoSound");
  }
  if (buffer.length === 0) throw fail("fileEmpty");
  const samples = mixed(buffer);
  if (isSilent(samples) && !isSilent(buffer.getChannelData(0))) throw fail("fileOpposite");
  return { samples, rate: buffer.sampleRate };
}

/** Rate and channels by the first bytes of a WAV or FLAC file of a size. */
function headerOf(view, size) {
  const text = (at) => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
  const isEnough = view.byteLength >= 44;
  if (isEnough && text(0) === "RIFF" && text(8) === "WAVE" && text(12) === "fmt ") {
    let at = 12; // of one part after the other
    while (at + 8 <= view.byteLength && text(at) !== "data") at += 8 + view.getUint32(at + 4, true);
    const isEmpty = at + 8 >= size; // nothing comes after the header
    return { rate: view.getUint32(24, true), channels: view.getUint16(22, true), isEmpty };
  }
  if (isEnough && text(0) === "fLaC") {
    const bits = view.getUint32(18); // 20 of the rate, 3 of the channels
    return { rate: bits >>> 12, channels: ((bits >>> 9) & 7) + 1 };
  }
  return { rate: USUAL_RATE, channels: 2 };
}

function isPossible(rate) {
  return rate >= 8000 && rate <= 96000;
}

/** Seconds of a file, without decoding it; 0 if the browser does not know. */
function durationOf(file) {
  const audio = new Audio();
  const url = URL.createObjectURL(file);
  return new Promise((resolve) => {
    const done = () => {
      const { duration } = audio;
      URL.revokeObjectURL(url);
      resolve(Number.isFinite(duration) ? duration : 0);
    };
    audio.addEventListener("loadedmetadata", done);
    audio.addEventListener("error", done);
    setTimeout(done, 5000);
    audio.preload = "metadata";
    audio.src = url;
  });
}

function mixed(buffer) {
  const samples = buffer.getChannelData(0).slice();
  for (let channel = 1; channel < buffer.numberOfChannels; channel++) {
    const more = buffer.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) samples[i] += more[i];
  }
  const scale = 1 / buffer.numberOfChannels;
  for (let i = 0; i < samples.length; i++) {
    samples[i] = Number.isFinite(samples[i]) ? samples[i] * scale : 0;
  }
  return samples;
}

function isSilent(samples) {
  return samples.every((value) => Math.abs(value) < 1e-4);
}
