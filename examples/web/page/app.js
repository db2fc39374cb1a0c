/** The page: what a player does, and what the worker says. */
import { SECONDS, Wave } from "./drawing.js";
import { Hearing } from "./hearing.js";
import { announce, clearProblem, problem, setStatus, tellError, wayOn } from "./messages.js";
import { NoteView } from "./noteview.js";
import { Session } from "./session.js";
import { connectSessions } from "./sessions.js";
import { reportOf, summaryTable } from "./summary.js";
import { describeAnswer, describeInstrument, loadTexts, moment, say } from "./texts.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 200; // milliseconds from a note to the table that counts it, at most

let worker;
let view;
let wave;
let hearing;
let isReady = false;
let hadModel = false; // before another one was opened
let showing = null; // a timer, until what there is is shown
const session = new Session();

main();

async function main() {
  await loadTexts();
  $("unstarted").remove();
  view = new NoteView($("notes"), $("more-notes"), play);
  wave = new Wave($("wave"));
  hearing = new Hearing((message, moved) => worker.postMessage(message, moved), wave, enable);
  connect();
  for (const code of ["micDenied", "micMissing", "micBusy", "micGone"])
    wayOn(code, "again", () => hearing.listen());
  show();
  connectSessions(session, showOther);
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
    $("instrument").value = names.includes(before) ? before : "";
    $("model-name").textContent = isOwn ? pageModelName() : $("model-name").dataset.name;
    setStatus("ready");
    enable();
  },
  level(told) {
    hearing.level(told);
  },
  note({ note }) {
    const added = session.add(note, hearing.take?.source ?? "");
    hearing.peaks.push(note.peak);
    view.add(added);
    const { kind, title, sure } = describeAnswer(added);
    wave.mark({ onset: note.onset, offset: note.offset, kind });
    announce(`${say("note", { number: added.number })}: ${title}, ${sure}`);
    showSoon();
    document.dispatchEvent(new CustomEvent("note", { detail: added }));
  },
  where({ id, where }) {
    session.tellWhere(id, where);
    view.tellWhere(id, where);
  },
  finished() {
    hearing.finished();
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
  $("listen").addEventListener("click", () => {
    if (hearing.take) hearing.stop();
    else if (isReady) hearing.listen();
  });
  $("choose-file").addEventListener("click", () => $("sound-file").click());
  $("sound-file").addEventListener("change", () => {
    const [file] = $("sound-file").files;
    $("sound-file").value = "";
    hearing.hearFile(file);
  });
  $("choose-model").addEventListener("click", () => $("model-files").click());
  $("model-files").addEventListener("change", () => openModel([...$("model-files").files]));
  $("csv").addEventListener("click", () => download("notes.csv", "text/csv", session.csv()));
  $("report").addEventListener("click", () =>
    download("notes.html", "text/html", reportOf(session)),
  );
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
  addEventListener("unhandledrejection", (event) => tellError(event.reason));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => wave.draw());
}

function dropped(files) {
  if (!files.length) return;
  if (hearing.take || !isReady) return problem("dropLater");
  if (files.some(({ name }) => /\.(onnx|json)$/i.test(name))) return openModel(files);
  hearing.hearFile(files[0]);
  if (files.length > 1) problem("dropOne", { name: files[0].name });
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
  const { isOpened, date } = session;
  $("session-title").textContent = say(isOpened ? "sessionOf" : "sessionTitle", {
    date: moment(date),
  });
  for (const id of ["save", "csv", "report"]) $(id).disabled = count === 0;
  $("new").disabled = count === 0 || Boolean(hearing.take);
  $("wave").setAttribute("aria-label", say("wave", { seconds: SECONDS, count: wave.notes.length }));
}

/** Show a session that has other notes than before. */
function showOther() {
  view.clear();
  wave.clear();
  session.notes.forEach((note) => view.add(note));
  show();
}

function enable() {
  const { take } = hearing;
  $("listen").textContent = say(take ? "stop" : "listen");
  $("listen").disabled = !isReady || Boolean(take?.isOver);
  $("choose-file").disabled = $("instrument").disabled = !isReady || Boolean(take);
  $("drop-hint").hidden = Boolean(take);
  $("choose-model").disabled = $("kept").disabled = Boolean(take);
  show();
}
