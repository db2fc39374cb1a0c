/** Hears samples, cuts out notes and asks the model about them, away from the page's own thread. */
import { NoteListener } from "./lib/listener.js";
import { peakOf } from "./lib/loudness.js";
import { openModel } from "./lib/model.js";
import { Problem } from "./lib/problem.js";
import { readTensors } from "./lib/safetensors.js";
import { whereHeard } from "./lib/where.js";

const RUNTIME = "vendor/onnxruntime.wasm.gz";
const MOST_DUE = 40; // notes that wait; of more, the oldest are not judged
const LATE = 2; // seconds
const TELL = 0.1; // seconds of sound from one level to the next
const PART = 1024; // samples of which one peak is drawn

let runtime = null;
let tensors = null;
let model = null;
let take = null; // what is heard now
let due = []; // notes that wait for the model
let explainable = []; // notes of which it is not known where their fault was heard
const turn = new MessageChannel();
let working = null; // until what waits is done
let nNotes = 0;

self.onmessage = ({ data }) => {
  const act = { open, start, samples: heard, away, stop }[data.kind];
  Promise.resolve(act(data)).catch(tellProblem);
};

async function open({ onnx, text }) {
  const [ort, file, about] = await Promise.all([
    loadRuntime(),
    onnx ?? load("model/notes.onnx"),
    text ?? load("model/notes.json").then((read) => new TextDecoder().decode(read)),
    loadSegmenter(),
  ]);
  const opened = await openModel(ort, new Uint8Array(file), about);
  await opened.judge(new Float32Array(11025).fill(0.01), 22050, null); // the first one is slow
  const before = model;
  model = opened;
  await before?.close();
  tell("ready", { instruments: model.instruments, isOwn: onnx === null });
}

async function loadRuntime() {
  if (runtime) return runtime;
  checkWasm();
  if (typeof DecompressionStream !== "function") throw new Problem("tooOld");
  const [module, binary] = await Promise.all([
    import("./vendor/onnxruntime.js"),
    load(RUNTIME).then(unzip),
  ]);
  module.env.wasm.numThreads = 1; // more need headers that a static page does not have
  module.env.wasm.proxy = false;
  module.env.wasm.wasmBinary = binary;
  runtime = module;
  return runtime;
}

/** A server's rules (CSP) may forbid what a browser can do. */
function checkWasm() {
  if (typeof WebAssembly !== "object") throw new Problem("noWasm");
  try {
    new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)); // the smallest one
  } catch (error) {
    throw new Problem("wasmForbidden", error.message);
  }
}

async function loadSegmenter() {
  tensors ??= readTensors(await load("segmenter.safetensors"));
}

async function load(path) {
  const answer = await fetch(new URL(path, import.meta.url)).catch(() => null);
  if (!answer?.ok) throw new Problem("pageBroken", path);
  return answer.arrayBuffer();
}

/** Some servers unzip what ends in .gz themselves. */
async function unzip(buffer) {
  const [first, second] = new Uint8Array(buffer);
  if (first !== 0x1f || second !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer().catch(() => {
    throw new Problem("pageBroken", RUNTIME);
  });
}

/** Begin to hear: samples come through `port`, or in messages. */
function start({ rate, instrument, port, number }) {
  const listener = new NoteListener(rate, tensors);
  take = { listener, rate, instrument, number, port, peaks: [], told: 0, seconds: 0 };
  due = [];
  explainable = [];
  if (port) port.onmessage = ({ data }) => heard(data);
}

function heard({ samples, from }) {
  if (!take) return;
  if (from !== undefined) watch(from, samples.length);
  const judged = judge(take.listener.push(samples));
  take.seconds += samples.length / take.rate;
  for (let at = 0; at < samples.length; at += PART) {
    take.peaks.push(peakOf(samples.subarray(at, at + PART)));
  }
  if (!take.port) return judged.then(tellLevel); // a file waits, so that none of its notes is late
  if (take.seconds - take.told >= TELL) tellLevel();
}

function tellLevel() {
  if (!take) return;
  const { peaks, seconds, listener } = take;
  tell("level", { peaks, seconds, isSounding: listener.isSounding });
  take.peaks = [];
  take.told = take.seconds;
}

/** Notice how late samples come, and which are missing, by the clock of the microphone. */
function watch(from, size) {
  const here = performance.now() / 1000 - from / take.rate;
  take.first = Math.min(take.first ?? here, here);
  if (take.wasAway) {
    const seconds = here - take.first;
    if (seconds > 1) tell("problem", { code: "background", seconds: Math.round(seconds) });
    Object.assign(take, { first: here, wasAway: false });
  }
  const late = here - take.first;
  take.zero ??= (from - size) / take.rate; // of the stream, by the clock of the microphone
  const missing = take.next === undefined ? 0 : (from - take.next) / take.rate;
  take.next = from + size;
  if (missing > 0.5) tell("problem", { code: "background", seconds: Math.round(missing) });
  if (late > LATE && !take.isLate) {
    take.isLate = true;
    tell("problem", { code: "slow", seconds: Math.round(late) });
  } else if (late < LATE / 2) {
    take.isLate = false;
  }
}

function judge(notes) {
  for (const note of notes) {
    const { rate: sampleRate, instrument, number } = take;
    nNotes += 1;
    due.push({ ...note, id: nNotes, sampleRate, instrument, take: number });
  }
  while (due.length > MOST_DUE) {
    tellNote(due.shift(), { answer: "unknown", confidence: 0, reason: "too slow" });
  }
  working ??= work()
    .catch(tellProblem)
    .finally(() => {
      working = null;
      if (take?.isOver) finish();
    });
  return working;
}

/** Ask the model about one note after another; then, while there is time, where faults were. */
async function work() {
  while (due.length || explainable.length) {
    await notesFirst();
    if (explainable.length) await explainOne(explainable.shift());
  }
}

/** Judge the notes that have ended, also those that end meanwhile. */
async function notesFirst() {
  await samplesFirst();
  while (due.length) {
    await judgeOne(due.shift());
    await samplesFirst();
  }
}

/** Let what has come be heard; timers would wait for milliseconds. */
function samplesFirst() {
  return new Promise((resolve) => {
    turn.port1.onmessage = resolve;
    turn.port2.postMessage(null);
  });
}

async function judgeOne(note) {
  const begun = performance.now();
  let told;
  try {
    told = await model.judge(note.samples, note.sampleRate, note.instrument);
  } catch (error) {
    tellProblem(error);
    told = { answer: "unknown", confidence: 0, reason: "failed" };
  }
  tellNote(note, { ...told, milliseconds: performance.now() - begun });
  if (told.answer !== "unknown" && !/^good/.test(told.answer)) explainable.push({ note, told });
  if (explainable.length > MOST_DUE) explainable.shift();
}

async function explainOne({ note, told }) {
  const where = await whereHeard(model, note, told, notesFirst);
  if (where) tell("where", { id: note.id, where });
}

function tellNote({ id, onset, offset, start, samples, sampleRate, instrument, take }, told) {
  const { answer, level, confidence, runnerUp, reason, milliseconds } = told;
  const sound = { onset, offset, start, samples, sampleRate, instrument, take };
  const note = { id, ...sound, answer, level, confidence, runnerUp, reason, milliseconds };
  note.peak = peakOf(samples);
  note.late = lateness(note);
  tell("note", { note });
}

/** The browser pauses, or goes on after it had: what was played meanwhile is lost, not late. */
function away() {
  if (take) take.wasAway = true;
}

/** Seconds from the end of a note to now, of what a microphone hears. */
function lateness({ offset }) {
  if (take?.zero === undefined || offset === null) return null;
  return performance.now() / 1000 - (take.first + take.zero + offset);
}

/** Hear no more; what has begun to sound is a note. */
function stop() {
  if (!take) return;
  if (take.port) {
    take.port.onmessage = null;
    take.port.close();
  }
  take.isOver = true;
  judge(take.listener.close());
}

function finish() {
  const { number, seconds } = take;
  take = null;
  tell("finished", { number, seconds });
}

function tell(kind, more = {}) {
  self.postMessage({ kind, ...more });
}

function tellProblem(error) {
  const code = error instanceof Problem ? error.code : "unexpected";
  tell("problem", { code, detail: String(error?.message ?? error) });
}
