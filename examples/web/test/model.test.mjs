import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import * as ort from "onnxruntime-web/wasm";

import { NoteListener } from "../page/lib/listener.js";
import { openModel } from "../page/lib/model.js";
import { resample } from "../page/lib/resample.js";
import { makeRule } from "../page/lib/rule.js";
import { readTensors } from "../page/lib/safetensors.js";
import { floats, read, told } from "./vectors.mjs";

ort.env.wasm.numThreads = 1;
const onnx = new Uint8Array(read("notes.onnx"));
const described = read("notes.json").toString();
const weights = new URL("../../../sknote/audio/segmentation/weights.safetensors", import.meta.url);
const tensors = readTensors(new Uint8Array(fs.readFileSync(weights)).buffer);

for (const { rate, file, answers } of told.passages) {
  test(`probabilities and answers at ${rate} Hz are Python's`, async () => {
    const model = await openModel(ort, onnx, described);
    const listener = new NoteListener(rate, tensors);
    const notes = [...listener.push(floats(file)), ...listener.close()];
    let apart = 0;
    for (const [i, note] of notes.entries()) {
      const { proba, answer, level, confidence, reason } = await model.judge(
        note.samples,
        rate,
        "flute",
      );
      proba.forEach((value, j) => (apart = Math.max(apart, Math.abs(value - answers[i].proba[j]))));
      const { answer: expected, level: above, reason: why } = answers[i];
      assert.deepEqual([answer, level, reason], [expected, above, why]);
      assert.ok(Math.abs(confidence - answers[i].confidence) < 1e-3);
    }
    assert.ok(apart < 1e-3, `apart by ${apart}`);
    await model.close();
  });
}

test("silence gets no answer", async () => {
  const model = await openModel(ort, onnx, described);
  const { answer, reason } = await model.judge(new Float32Array(8000), 22050, "flute");
  assert.deepEqual([answer, reason], ["unknown", "no sound"]);
  await model.close();
});

test("another sample rate is made as soxr makes it", () => {
  for (const { before, after, files } of told.resampling) {
    const [given, expected] = files.map(floats);
    const found = resample(given, before, after);
    assert.ok(Math.abs(found.length - expected.length) <= 1);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const inner = found.map((value, i) => Math.abs(value - expected[i])).slice(0, -1);
    assert.ok(inner.reduce((a, b) => Math.max(a, b)) < 2e-4 * largest);
  }
});

test("the rule answers as Python's does", () => {
  const { about, proba, scores, silent, answers } = told.rules;
  const rule = makeRule(about);
  proba.forEach((shares, i) => {
    const found = rule(shares, scores[i], silent[i]);
    assert.equal(found.answer, answers.answer[i]);
    assert.equal(found.level, answers.level[i]);
    assert.equal(found.reason, answers.reason[i]);
    assert.equal(found.runnerUp, answers.runner_up[i]);
    assert.ok(Math.abs(found.confidence - answers.confidence[i]) < 1e-12);
  });
  const levels = new Set(answers.level);
  assert.deepEqual([...levels].sort(), ["group", "label", "quality", "unknown"]);
});

const refused = {
  modelNotDescribed: [onnx, "no JSON"],
  modelFormat: [onnx, described.replace(/"format": \d+/, '"format": 99')],
  modelDamaged: [onnx.subarray(0, onnx.length / 2), described],
  modelOperators: await unknownOperator(),
};

for (const [code, [bytes, text]] of Object.entries(refused)) {
  test(`a model that cannot be used is said to be: ${code}`, async () => {
    await assert.rejects(openModel(ort, bytes, text), { code });
  });
}

/** A model whose metadata is right, and in which one operator is renamed to one that nobody has. */
async function unknownOperator() {
  const bytes = Buffer.from(onnx);
  const at = bytes.indexOf("\x06MatMul") + 1;
  assert.ok(at > 0);
  bytes.write("MatMux", at, "latin1");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const sha256 = Buffer.from(hash).toString("hex");
  return [new Uint8Array(bytes), JSON.stringify({ ...JSON.parse(described), sha256 })];
}
