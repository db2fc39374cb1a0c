/** A model that `sknote.deploy.export_onnx` wrote, run by ONNX Runtime. */
import { round } from "./numbers.js";
import { Problem } from "./problem.js";
import { resample } from "./resample.js";
import { makeRule } from "./rule.js";

const FORMATS = [2, 3]; // with and without confidence; those that sknote 0.1 writes
const SILENT_RTOL = 5e-7; // as in OnnxNoteClassifier
const SILENT_ATOL = 1e-12;

/**
 * Open a model; what is wrong with it is a Problem.
 *
 * @param ort onnxruntime-web
 * @param bytes Uint8Array of the .onnx file
 * @param text of the .json file beside it
 */
export async function openModel(ort, bytes, text) {
  const about = parse(text);
  // browsers compute digests on https and localhost alone
  if (crypto.subtle && (await digest(bytes)) !== about.sha256) throw new Problem("modelDamaged");
  let session;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "disabled", // took longer than all the rest, and found nothing
      enableMemPattern: false, // one would be kept for each length that ever came
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw new Problem("modelOperators", error.message);
  }
  const model = new NoteModel(ort, session, about);
  model.silence = (await model._run(new Float32Array(1), 0, 0)).proba;
  return model;
}

class NoteModel {
  constructor(ort, session, about) {
    this.ort = ort;
    this.session = session;
    this.classes = about.classes.map(String);
    this.instruments = about.instruments;
    this.read = about.read;
    this.rule = makeRule({ ...about, classes: this.classes });
    this.levels = about.confidence?.levels ?? [];
    this.silence = null; // the answer for what holds no sound, which no sound gets
  }

  /** Probabilities of the classes, and the answer that the model's rule makes of them. */
  async judge(samples, sampleRate, instrument) {
    const code = this.instruments.indexOf(instrument) + 1; // 0 is unknown
    const waveform = this.prepare(samples, sampleRate);
    const padded = waveform.length ? waveform : new Float32Array(1);
    const { proba, scores } = await this._run(padded, waveform.length, code);
    const isSilent = proba.every(
      (value, i) =>
        Math.abs(value - this.silence[i]) <= SILENT_ATOL + SILENT_RTOL * Math.abs(this.silence[i]),
    );
    const sum = proba.reduce((total, value) => total + value, 0);
    const shares = proba.map((value) => value / sum);
    return { proba: shares, scores, ...this.rule(shares, scores, isSilent) };
  }

  /** How likely an answer, of a level, is by what was judged. */
  likelihood({ proba }, answer, level) {
    const above = this.levels.find(({ name }) => name === level);
    const isIn = above
      ? (i) => above.nodes[above.node_of[i]] === answer
      : (i) => this.classes[i] === answer;
    return proba.reduce((sum, value, i) => sum + (isIn(i) ? value : 0), 0);
  }

  /** The waveform that the network is given of samples of any rate. */
  prepare(samples, sampleRate) {
    const { sample_rate: rate, input_rate: asked, offset, max_duration: longest } = this.read;
    const inputRate = asked ?? rate;
    const given = resample(samples, sampleRate, inputRate);
    const start = round(offset * inputRate);
    const stop = longest === null ? undefined : start + Math.max(1, round(longest * inputRate));
    return resample(given.subarray(start, stop), inputRate, rate);
  }

  async _run(waveform, length, code) {
    const { Tensor } = this.ort;
    const whole = (value) => new Tensor("int64", BigInt64Array.of(BigInt(value)), [1]);
    const outputs = await this.session.run({
      waveform: new Tensor("float32", waveform, [1, waveform.length]),
      length: whole(length),
      instrument: whole(code),
    });
    const proba = Array.from(outputs.probabilities.data);
    const scores = Array.from(outputs.novelty?.data ?? []);
    for (const output of Object.values(outputs)) output.dispose?.();
    if (proba.length !== this.classes.length || !proba.every(Number.isFinite)) {
      throw new Problem("modelDamaged", "its answer is not finite");
    }
    return { proba, scores };
  }

  async close() {
    await this.session.release();
  }
}

function parse(text) {
  let about;
  try {
    about = JSON.parse(text);
  } catch {
    throw new Problem("modelNotDescribed");
  }
  if (about?.made_by !== "sknote.deploy.export_onnx") throw new Problem("modelNotDescribed");
  if (!FORMATS.includes(about.format)) throw new Problem("modelFormat", `format ${about.format}`);
  const lists = [about.classes, about.instruments];
  const isWhole = lists.every(Array.isArray) && about.classes.length && about.read?.sample_rate;
  if (!isWhole || (about.format === 3 && !about.confidence)) throw new Problem("modelDamaged");
  return about;
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
