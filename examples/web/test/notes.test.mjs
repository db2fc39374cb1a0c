import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { NoteListener } from "../page/lib/listener.js";
import { readTensors } from "../page/lib/safetensors.js";
import { NoteSegmenter } from "../page/lib/segmenter.js";
import { chunks, floats, told } from "./vectors.mjs";

const weights = new URL("../../../sknote/audio/segmentation/weights.safetensors", import.meta.url);
const file = fs.readFileSync(weights);
const tensors = readTensors(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));

function segment(samples, rate, seed) {
  const segmenter = new NoteSegmenter(rate, tensors);
  const notes = [];
  for (const chunk of chunks(samples, seed)) notes.push(...segmenter.push(chunk));
  return [...notes, ...segmenter.flush()];
}

for (const { rate, file: name, notes, answers } of told.passages) {
  test(`the notes at ${rate} Hz are Python's, in any chunks`, () => {
    const samples = floats(name);
    const found = segment(samples, rate, 0);
    assert.equal(found.length, notes.length);
    assert.ok(notes.length > 10);
    found.flat().forEach((time, i) => assert.ok(Math.abs(time - notes.flat()[i]) < 1e-4));
    for (const seed of [1, 2]) assert.deepEqual(segment(samples, rate, seed), found);
  });

  test(`a listener at ${rate} Hz cuts as a stream does`, () => {
    const listener = new NoteListener(rate, tensors);
    const found = [];
    for (const chunk of chunks(floats(name), 3)) found.push(...listener.push(chunk));
    found.push(...listener.close());
    assert.equal(found.length, answers.length);
    found.forEach((note, i) => {
      assert.ok(Math.abs(note.onset - answers[i].onset) < 1e-3);
      assert.ok(Math.abs(note.offset - answers[i].offset) < 1e-3);
    });
  });
}

test("silence has no notes, and what never ends is judged once", () => {
  assert.deepEqual(segment(new Float32Array(40000), 16000, 1), []);
  const rate = 16000;
  const listener = new NoteListener(rate, tensors, { longest: 1 });
  const drone = Float32Array.from({ length: 4 * rate }, (_, i) => {
    return i < rate / 2 ? 0 : 0.3 * Math.sin((2 * Math.PI * 440 * i) / rate);
  });
  const found = [...listener.push(drone), ...listener.close()];
  assert.equal(found.length, 1);
  assert.equal(found[0].offset, null);
  assert.ok(found[0].samples.length <= 1.1 * rate);
});

test("memory of a listener does not grow", () => {
  const listener = new NoteListener(16000, tensors, { longest: 1 });
  const chunk = new Float32Array(16000);
  for (let i = 0; i < 20; i++) listener.push(chunk);
  assert.ok(listener.recent.ring.length < 5 * 16000);
  assert.ok(listener.segmenter.frames.samples.length < 3000);
});
