/** The page: what a player does, and what the worker says. */
import { SECONDS, Wave } from "./drawing.js";
import { advice } from "./lib/loudness.js";
import { announce, clearProblem, problem, setStatus, wayOn } from "./messages.js";
import { openMicrophone } from "./microphone.js";
import { NoteView } from "./noteview.js";
import { Session } from "./session.js";
import { readSound } from "./soundfile.js";
import { forgetSessions, keepSession, keptSessions } from "./storage.js";
import { keptTable, reportOf, summaryTable } from "./summary.js";
import { describeAnswer, describeInstrument, loadTexts, say } from "./texts.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 200; // milliseconds from a note to the table that counts it, at most
const FILE_CHUNK = 0.5; // seconds of a file that the worker is given at a time

let worker;
let view;
let wave;
let isReady = false;
let hadModel = false; // before another one was opened
let take = null; // what is heard now: {number, source, close, next}
let nTakes = 0;
let showing = null; // a timer, until what there is is shown
let peaks = []; // of the notes of this take
const session = new Session();

main();

async function main() {
  await loadTexts();
  view = new NoteView($("notes"), $("more-notes"), play);
  wave = new Wave($("wave"));
  connect();
  for (const code of ["micDenied", "micMissing", "micBusy", "micGone"])
    wayOn(code, "again", listen);
  show();
  showKept();
  setStatus("loading");
  if (typeof WebAssembly !== "object") return problem("noWasm");
  try {
    worker = new Worker("worker.js", { type: "module" });
  } catch {
    return problem("tooOld");
  }
  worker.onmessage = ({ data }) => HANDLERS[data.kind](data);
  worker.onerror = (event) => problem(isReady ? "unexpected" : "tooOld", { detail: event.message });
  worker.postMessage({ kind: "open", onnx: null, text: null });
  if ("serviceWorker" in navigator) {
    navigator.serviceWorker.register("sw.js").catch(() => {}); // without it, just not offline
  }
}

const HANDLERS = {
  ready({ instruments, isOwn }) {
    performance.mark("ready");
    isReady = true;
    const before = $("instrument").value;
    const names = ["", ...instruments];
    $("instrument").replaceChildren(
      ...names.map((name) => new Option(describeInstrument(name), name)),
    );
    $("instrument").value = names.includes(before) ? before : (instruments[0] ?? "");
    $("model-name").textContent = isOwn ? pageModelName() : $("model-name").dataset.name;
    setStatus("ready");
    enable();
  },
  level({ peaks: drawn, seconds, isSounding }) {
    wave.add(drawn, seconds);
    if (!take) return;
    if (take.next) return take.next();
    $("level-meter").value = Math.max(...drawn);
    const key = advice(peaks, seconds);
    if (take.hint !== key) $("level-hint").textContent = key && say(key);
    take.hint = key;
    if (take.isSounding !== isSounding) setStatus(isSounding ? "sounding" : "listening");
    take.isSounding = isSounding;
  },
  note({ note }) {
    const added = session.add(note, take?.source ?? "");
    peaks.push(note.peak);
    view.add(added);
    const { kind, title, sure } = describeAnswer(added);
    wave.mark({ onset: note.onset, offset: note.offset, kind });
    announce(`${say("note", { number: added.number })}: ${title}, ${sure}`);
    showSoon();
    document.dispatchEvent(new CustomEvent("note", { detail: added }));
  },
  where({ id, where }) {
    const note = session.notes.find((one) => one.id === id);
    if (note) note.where = where;
    view.tellWhere(id, where);
  },
  finished() {
    take = null;
    show();
    setStatus("finished", { count: peaks.length });
    enable();
  },
  problem({ code, seconds, detail }) {
    problem(code, { seconds, detail });
    if (!isReady) setStatus(hadModel ? "ready" : "");
    isReady ||= hadModel;
    enable();
  },
};

function pageModelName() {
  const named = document.querySelector('meta[name="sknote-model"]');
  return named?.content || say("ownModel");
}

function connect() {
  $("listen").addEventListener("click", () => (take ? stop() : listen()));
  $("choose-file").addEventListener("click", () => $("sound-file").click());
  $("sound-file").addEventListener("change", () => take || hearFile($("sound-file").files[0]));
  $("choose-model").addEventListener("click", () => $("model-files").click());
  $("model-files").addEventListener("change", () => openModel([...$("model-files").files]));
  $("csv").addEventListener("click", () => download("notes.csv", "text/csv", session.csv()));
  $("report").addEventListener("click", () =>
    download("notes.html", "text/html", reportOf(session)),
  );
  $("save").addEventListener("click", keep);
  $("delete").addEventListener("click", () => $("sure").showModal());
  $("sure").addEventListener("close", () => $("sure").returnValue === "yes" && deleteAll());
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    dropped([...event.dataTransfer.files]);
  });
  addEventListener("unhandledrejection", (event) => {
    problem(event.reason?.code ?? "unexpected", { detail: event.reason?.message });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => wave.draw());
}

function dropped(files) {
  if (!files.length || take || !isReady) return;
  if (files.some(({ name }) => /\.(onnx|json)$/i.test(name))) openModel(files);
  else hearFile(files[0]);
}

async function openModel(files) {
  $("model-files").value = "";
  const onnx = files.find(({ name }) => /\.onnx$/i.test(name));
  const json = files.find(({ name }) => /\.json$/i.test(name));
  if (!onnx || !json) return problem("modelPair");
  clearProblem();
  setStatus("loading");
  $("model-name").dataset.name = onnx.name;
  hadModel = isReady;
  isReady = false;
  enable();
  const bytes = await onnx.arrayBuffer();
  worker.postMessage({ kind: "open", onnx: bytes, text: await json.text() }, [bytes]);
}

/** Hear the microphone. */
async function listen() {
  if (take || !isReady) return;
  begin("microphone");
  try {
    const microphone = await openMicrophone({
      onGone: () => stop("micGone"),
      onPaused: (goOn) => {
        worker.postMessage({ kind: "away" }); // samples may be faster than the news that it goes on
        problem("suspended", {}, ["goOn", goOn]);
      },
      onResumed: () => worker.postMessage({ kind: "away" }),
    });
    take.close = microphone.close;
    const { rate, port, kept } = microphone;
    const instrument = $("instrument").value;
    worker.postMessage({ kind: "start", rate, instrument, port, number: take.number }, [port]);
    const what = kept.map((name) => say(`processing.${name}`)).join(", ");
    $("microphone-note").hidden = !kept.length;
    $("microphone-note").textContent = kept.length ? say("microphoneChanged", { what }) : "";
    $("level").hidden = false;
    setStatus("listening");
  } catch (error) {
    take = null;
    setStatus("ready");
    problem(error.code ?? "unexpected", { detail: error.message });
  }
  enable();
}

/** Hear a file, as fast as the worker can. */
async function hearFile(file) {
  $("sound-file").value = "";
  if (!file || take || !isReady) return;
  begin(file.name);
  setStatus("reading", { name: file.name, percent: 0 });
  enable();
  let sound;
  try {
    sound = await readSound(file);
  } catch (error) {
    take = null;
    setStatus("ready");
    problem(error.code ?? "unexpected", { detail: error.message, ...error.values });
    return enable();
  }
  const { samples, rate } = sound;
  const size = Math.round(FILE_CHUNK * rate);
  let at = 0;
  take.next = () => {
    if (take.isOver) return;
    if (at >= samples.length) return stop();
    const chunk = samples.slice(at, at + size);
    at += size;
    const percent = Math.min(100, Math.round((100 * at) / samples.length));
    setStatus("reading", { name: file.name, percent });
    worker.postMessage({ kind: "samples", samples: chunk }, [chunk.buffer]);
  };
  const instrument = $("instrument").value;
  worker.postMessage({ kind: "start", rate, instrument, number: take.number });
  take.next();
}

function begin(source) {
  clearProblem();
  nTakes += 1;
  peaks = [];
  take = { number: nTakes, source, close: null, next: null };
  wave.clear();
}

/** Hear no more; the worker tells of what is left, and then that it has finished. */
function stop(code) {
  if (!take || take.isOver) return;
  take.isOver = true;
  take.close?.();
  $("level").hidden = true;
  worker.postMessage({ kind: "stop" });
  if (code) problem(code);
}

async function keep() {
  try {
    await keepSession(session);
    setStatus("saved");
  } catch (error) {
    problem(error.code ?? "unexpected", { detail: error.message });
  }
  showKept();
}

async function deleteAll() {
  session.clear();
  view.clear();
  wave.clear();
  show();
  try {
    await forgetSessions();
    setStatus("deleted");
  } catch (error) {
    problem(error.code ?? "unexpected", { detail: error.message });
  }
  showKept();
}

/** Let a note be heard again, if its sound is still there. */
function play({ sound, sampleRate }) {
  if (!sound) return;
  const context = new AudioContext();
  const buffer = context.createBuffer(1, sound.length, sampleRate);
  buffer.copyToChannel(
    Float32Array.from(sound, (value) => value / 32768),
    0,
  );
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.onended = () => context.close();
  source.start();
}

function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Show what there is, but not after each of many notes. */
function showSoon() {
  showing ??= setTimeout(show, SHOWN);
}

function show() {
  clearTimeout(showing);
  showing = null;
  const count = session.notes.length;
  $("no-notes").hidden = count > 0;
  $("summary").replaceChildren(summaryTable(session));
  for (const id of ["save", "csv", "report"]) $(id).disabled = count === 0;
  $("wave").setAttribute("aria-label", say("wave", { seconds: SECONDS, count: wave.notes.length }));
}

async function showKept() {
  const sessions = await keptSessions().catch(() => []);
  $("kept").replaceChildren(...(sessions.length ? [keptTable(sessions)] : []));
}

function enable() {
  $("listen").textContent = say(take ? "stop" : "listen");
  $("listen").disabled = !isReady || Boolean(take?.isOver);
  $("choose-file").disabled = $("instrument").disabled = !isReady || Boolean(take);
  $("choose-model").disabled = Boolean(take);
}
