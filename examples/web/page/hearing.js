/** What is heard: the microphone, or a file, one at a time; the worker finds the notes in it. */
import { advice } from "./lib/loudness.js";
import { clearProblem, problem, setStatus, tellError } from "./messages.js";
import { openMicrophone } from "./microphone.js";
import { readSound } from "./soundfile.js";
import { say } from "./texts.js";

const SILENT = -60; // dB
const FILE_CHUNK = 0.5; // seconds of a file that the worker is given at a time
const $ = (id) => document.getElementById(id);

export class Hearing {
  /** `post` tells the worker; `onChange` is called when a take begins, stops or has ended. */
  constructor(post, wave, onChange) {
    this.post = post;
    this.wave = wave;
    this.onChange = onChange;
    this.take = null; // what is heard now: {number, source, close, next, isStarted, isOver}
    this.nTakes = 0;
    this.peaks = []; // of the notes of this take
    this.loudest = -Infinity; // of all that it heard, in dB
  }

  /** Hear the microphone. */
  async listen() {
    if (this.take) return;
    const take = this._begin("microphone");
    setStatus("asking");
    try {
      const microphone = await openMicrophone({
        onGone: () => this.stop("micGone"),
        onPaused: (goOn) => {
          const away = () => this.post({ kind: "away" });
          away(); // samples may be faster than the news that it goes on,
          const resume = () => {
            away(); // and some of before the pause may come after the first news
            goOn();
          };
          problem("suspended", {}, ["goOn", resume]);
        },
        onResumed: () => this.post({ kind: "away" }),
      });
      if (this.take !== take) return microphone.close(); // they did not want to wait
      take.close = microphone.close;
      this._start(take, microphone);
      this._tellProcessing(microphone.kept);
      $("level").hidden = false;
      setStatus("listening");
    } catch (error) {
      this._fail(take, error);
    }
  }

  /** Hear a file, as fast as the worker can. */
  async hearFile(file) {
    if (!file || this.take) return;
    const take = this._begin(file.name);
    setStatus("reading", { name: file.name, percent: 0 });
    try {
      const { samples, rate } = await readSound(file);
      if (this.take !== take) return;
      take.next = this._feeder(take, samples, rate);
      this._start(take, { rate });
      take.next();
    } catch (error) {
      this._fail(take, error);
    }
  }

  /** Hear no more; the worker tells of what is left, and then that it has finished. */
  stop(code) {
    const { take } = this;
    if (!take || take.isOver) return;
    take.close?.();
    $("level").hidden = true;
    clearProblem("suspended");
    if (take.isStarted) {
      take.isOver = true;
      setStatus("ending");
      this.post({ kind: "stop" });
    } else {
      this.take = null;
      setStatus("ready");
    }
    if (code) problem(code);
    this.onChange();
  }

  /** The worker heard on. */
  level({ peaks, seconds, isSounding }) {
    const { take } = this;
    this.wave.add(peaks, seconds);
    this.loudest = Math.max(this.loudest, ...peaks);
    if (!take || take.isOver) return;
    if (take.next) return take.next();
    $("level-meter").value = Math.max(...peaks);
    const key = advice(this.peaks, seconds);
    if (take.hint !== key) $("level-hint").textContent = key && say(key);
    take.hint = key;
    if (take.isSounding !== isSounding) setStatus(isSounding ? "sounding" : "listening");
    take.isSounding = isSounding;
  }

  /** The worker has told all notes of the take. */
  finished() {
    this.take = null;
    const count = this.peaks.length;
    const none = this.loudest < SILENT ? "finishedSilent" : "finishedNone";
    setStatus(count ? "finished" : none, { count });
    this.onChange();
  }

  _begin(source) {
    clearProblem();
    this.nTakes += 1;
    this.peaks = [];
    this.loudest = -Infinity;
    this.wave.clear();
    this.take = { number: this.nTakes, source };
    this.onChange();
    return this.take;
  }

  _start(take, { rate, port }) {
    take.isStarted = true;
    const instrument = $("instrument").value;
    const message = { kind: "start", rate, instrument, port, number: take.number };
    this.post(message, port ? [port] : []);
  }

  _fail(take, error) {
    if (this.take !== take) return;
    this.take = null;
    setStatus("ready");
    tellError(error);
    this.onChange();
  }

  /** A function that gives the worker the next part of a file. */
  _feeder(take, samples, rate) {
    const size = Math.round(FILE_CHUNK * rate);
    let at = 0;
    return () => {
      if (at >= samples.length) return this.stop();
      const chunk = samples.slice(at, at + size);
      at += size;
      const percent = Math.min(100, Math.round((100 * at) / samples.length));
      setStatus("reading", { name: take.source, percent });
      this.post({ kind: "samples", samples: chunk }, [chunk.buffer]);
    };
  }

  _tellProcessing(kept) {
    const what = kept.map((name) => say(`processing.${name}`)).join(", ");
    $("microphone-note").hidden = !kept.length;
    $("microphone-note").textContent = kept.length ? say("microphoneChanged", { what }) : "";
  }
}
