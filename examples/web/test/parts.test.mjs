import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { Fourier } from "../page/lib/fourier.js";
import { advice, peakOf } from "../page/lib/loudness.js";
import { whereHeard } from "../page/lib/where.js";
import { Session } from "../page/session.js";
import { loadTexts } from "../page/texts.js";

test("the Fourier transform is what it is defined to be, at all lengths that are used", () => {
  for (const size of [1, 2, 3, 4, 5, 6, 8, 9, 15, 16, 20, 25, 48, 50, 60, 75, 90, 125, 180, 450]) {
    const samples = Float64Array.from({ length: size }, (_, i) => Math.sin(7 * i * i + 1));
    const count = Math.floor(size / 2) + 1;
    const found = new Fourier(size).power(samples, count, new Float64Array(count));
    found.forEach((power, k) => {
      let [re, im] = [0, 0];
      samples.forEach((value, i) => {
        re += value * Math.cos((2 * Math.PI * k * i) / size);
        im -= value * Math.sin((2 * Math.PI * k * i) / size);
      });
      assert.ok(Math.abs(re * re + im * im - power) < 1e-9, `${size}, ${k}`);
    });
  }
});

test("players are asked for more or less loudness", () => {
  assert.equal(advice([], 1), "");
  assert.equal(advice([], 10), "levelNothing");
  assert.equal(advice([-50, -45], 10), "levelLouder");
  assert.equal(advice([-50, -20, -12], 10), "levelFine");
  assert.equal(advice([-20, -0.1, 0, -3], 10), "levelSofter");
  assert.equal(peakOf(new Float32Array(10)), -100);
  assert.ok(Math.abs(peakOf(Float32Array.of(0.1, -0.5)) + 6.02) < 0.01);
});

for (const place of ["beginning", "middle", "end"]) {
  test(`a fault in the ${place} of a note is heard there`, async () => {
    const third = ["beginning", "middle", "end"].indexOf(place);
    const samples = new Float32Array(3000).fill(0.1);
    samples.fill(0.9, third * 1000 + 100, third * 1000 + 900);
    const model = {
      judge: async (part) => ({ share: part.filter((value) => value > 0.5).length / 800 }),
      likelihood: ({ share }) => 0.2 + 0.7 * share,
    };
    const note = { samples, sampleRate: 8000, instrument: "flute" };
    assert.equal(await whereHeard(model, note, await model.judge(samples)), place);
  });
}

test("a fault that is everywhere, or in a short note, has no place", async () => {
  const model = { judge: async () => 1, likelihood: () => 0.8 };
  const note = { samples: new Float32Array(3000), sampleRate: 8000, instrument: null };
  assert.equal(await whereHeard(model, note, {}), "all");
  assert.equal(await whereHeard(model, { ...note, samples: new Float32Array(300) }, {}), "");
});

test("what cannot wait is done before each question about a fault", async () => {
  const done = [];
  const model = { judge: async () => done.push("question"), likelihood: () => 0.8 };
  const note = { samples: new Float32Array(3000), sampleRate: 8000, instrument: null };
  await whereHeard(model, note, {}, async () => done.push("first"));
  assert.deepEqual(done, Array(3).fill(["first", "question"]).flat());
});

test("a session counts, keeps the sound of the last notes, and makes a table", () => {
  const session = new Session();
  for (let i = 0; i < 250; i++) {
    session.add(
      {
        id: i,
        onset: i,
        offset: i + 0.5,
        samples: Float32Array.of(0.5, -2),
        instrument: i < 200 ? "flute" : null,
        answer: i % 5 ? "good-sound" : '=bad,"sound"',
        level: "label",
        confidence: 0.9,
        reason: "sure",
      },
      "a.wav",
    );
  }
  assert.deepEqual([...session.notes.at(-1).sound], [16384, -32768]);
  assert.equal(session.notes.filter((note) => note.sound).length, 200);
  const rows = session.summary();
  assert.equal(
    rows.reduce((sum, row) => sum + row[2], 0),
    250,
  );
  assert.equal(rows[0][3] + rows[0][4], rows[0][2]);
  const lines = session.csv().trim().split("\r\n");
  assert.equal(lines.length, 251);
  assert.ok(lines[1].includes('"\'=bad,""sound"""'));
});

test("a table has a musician's words, and no number for what is not sure", async () => {
  const about = { querySelectorAll: () => [], documentElement: {} };
  const texts = fs.readFileSync(new URL("../page/texts/en.json", import.meta.url), "utf8");
  Object.assign(globalThis, { document: about, fetch: async () => new Response(texts) });
  Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] } });
  await loadTexts();
  const session = new Session();
  const note = { onset: 1, offset: 2, samples: [], instrument: "sax_alto", confidence: 0.866 };
  const reason = "unlike the notes of fit";
  const unknown = { answer: "unknown", level: "unknown", reason, runnerUp: "good-sound" };
  session.add({ ...note, id: 1, ...unknown }, "microphone");
  session.add({ ...note, id: 2, answer: "bad-richness", level: "label", reason: "sure" }, "a.wav");
  session.tellWhere(2, "end");
  const [, first, second] = session.csv().trim().split("\r\n");
  const why = "It is unlike all notes that I learned from.";
  assert.equal(first, `1,alto saxophone,1.000,1.000,Not sure,,${why},,microphone,`);
  const more = "heard mostly towards its end,a.wav,bad-richness";
  assert.equal(second, `2,alto saxophone,1.000,1.000,The tone is thin,0.866,,${more}`);
});
