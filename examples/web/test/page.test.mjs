/** The page in headless Chromium; SKNOTE_PAGE is a folder that `sknote export --web` wrote. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { choose, finished, problem, ready, textOf, writeWave } from "./chromium.mjs";
import { useSite } from "./site.mjs";
import { floats, read, told } from "./vectors.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
const passage = told.passages.at(-1); // at 48 kHz, as fake microphones have it
const file = (name) => path.join(folder, name);
const site = useSite(() => {
  writeWave(file("passage.wav"), floats(passage.file), passage.rate);
  return { sound: `${file("passage.wav")}%noloop` };
});
const { fresh } = site;

after(() => fs.rmSync(folder, { recursive: true }));

function assertHeard(notes) {
  assert.equal(notes.length, passage.answers.length);
  notes.forEach(({ onset, answer, confidence }, i) => {
    const expected = passage.answers[i];
    assert.ok(Math.abs(onset - expected.onset) < 1e-3, `${onset} ${expected.onset}`);
    assert.equal(answer, expected.answer);
    assert.ok(Math.abs(confidence - expected.confidence) < 1e-3);
  });
}

/** How many onsets are Python's, to 11 ms, if one of the first is that of one of Python's first. */
function nSame(notes) {
  const expected = passage.answers.map(({ onset }) => onset);
  const found = notes.map(({ onset }) => onset);
  const counts = expected.slice(0, 3).flatMap((first) =>
    found.slice(0, 3).map((own) => {
      const isFound = (onset) =>
        found.some((other) => Math.abs(other - own - onset + first) < 0.011);
      return expected.filter(isFound).length;
    }),
  );
  return Math.max(...counts);
}

test("a file gives Python's notes; they are kept, saved as a table, and deleted", async () => {
  const { page, notes, errors, close } = await fresh();
  await ready(page);
  await page.select("#instrument", "flute");
  await choose(page, "#sound-file", file("passage.wav"));
  await finished(page);
  assertHeard(notes);
  assert.equal((await page.$$("#notes > li")).length, notes.length);
  assert.match(await textOf(page, "#announcer"), /Note \d+: /);
  await page.$$eval("#notes button", (buttons) => buttons[1].click());
  assert.ok(await page.$("#notes canvas"));
  const csv = await page.evaluate(async () => {
    const blobs = [];
    URL.createObjectURL = (blob) => blobs.push(blob) && "blob:none";
    HTMLAnchorElement.prototype.click = () => {};
    document.getElementById("csv").click();
    document.getElementById("report").click();
    return Promise.all(blobs.map((blob) => blob.text()));
  });
  assert.equal(csv[0].trim().split("\r\n").length, notes.length + 1);
  assert.match(csv[1], /^<!doctype html><html lang="en"><head>.*name="viewport".*<table>/s);
  await page.click("#save");
  await page.waitForSelector("#kept tbody tr");
  await page.click("#delete");
  await page.click("#sure button[value=yes]");
  await page.waitForFunction(() => !document.querySelector("#kept tr, #notes li"));
  assert.deepEqual(errors, []);
  await close();
});

test("the microphone gives Python's notes, and the keyboard is enough", async () => {
  const { page, notes, errors, close } = await fresh();
  await ready(page);
  for (let i = 0; i < 10; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.id === "listen")) break;
  }
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.getElementById("level").hidden);
  await new Promise((resolve) => setTimeout(resolve, 8000));
  assert.equal(await textOf(page, "#listen"), "Stop");
  await page.keyboard.press("Enter");
  await finished(page);
  // the fake microphone of a busy machine has gaps
  assert.ok(nSame(notes) >= 0.8 * passage.answers.length, `${nSame(notes)} notes`);
  assert.deepEqual(errors, []);
  await close();
});

test("it works without a network after it was opened once, and asks no one else", async () => {
  const { page, errors, close } = await fresh();
  await ready(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.setOfflineMode(true);
  site.server.asked.length = 0;
  await page.reload();
  await ready(page);
  assert.deepEqual(
    site.server.asked.filter((name) => name !== "/sw.js"),
    [],
  ); // is there a newer one?
  assert.deepEqual(errors, []);
  await close();
});

/** Gives notes a label of one long word, and says where they were heard. */
function longLabels() {
  globalThis.Worker = class extends Worker {
    set onmessage(act) {
      super.onmessage = ({ data }) => {
        if (data.kind === "note") data.note.answer = `bad-${"x".repeat(60)}`;
        act({ data });
        if (data.kind === "note") act({ data: { kind: "where", id: data.note.id, where: "end" } });
      };
    }
  };
}

/** Elements of which something is cut off, among those that do not scroll. */
const cutOff = (page) =>
  page.$$eval("html, #notes, #notes *, .card, .hint, button", (elements) =>
    elements
      .filter(({ scrollWidth, clientWidth }) => clientWidth && scrollWidth > clientWidth)
      .map(({ id, className, localName }) => `${localName} ${id} ${className}`),
  );

test("it fits a narrow screen, large letters, long labels, and a dark one", async () => {
  for (const [width, scheme] of [
    [360, "light"],
    [180, "dark"],
  ]) {
    const { page, close } = await fresh({ size: [width, 740], scheme }, longLabels);
    await ready(page);
    await choose(page, "#sound-file", file("passage.wav"));
    await finished(page);
    await page.click("#save");
    await page.waitForSelector("#kept tbody tr");
    assert.deepEqual(await cutOff(page), []);
    const overflow = (id) => page.$eval(id, (element) => getComputedStyle(element).overflowX);
    for (const id of ["#summary", "#kept"]) {
      assert.equal(await overflow(id), "auto");
      const width = await page.$eval(id, ({ scrollWidth }) => scrollWidth);
      assert.ok(scheme === "dark" || width < 330, `${id}: ${width}`);
    }
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(Number(back.match(/\d+/)[0]) < 128, scheme === "dark");
    await close();
  }
});

test("sounds that cannot be heard have a sentence each, others are heard after them", async () => {
  fs.writeFileSync(file("empty.wav"), "");
  fs.writeFileSync(file("text.mp3"), "no sound at all");
  const hour = Buffer.alloc(2 * 8000 * 3600 + 44);
  writeWave(file("hour.wav"), [], 8000);
  fs.readFileSync(file("hour.wav")).copy(hour);
  hour.writeUInt32LE(hour.length - 8, 4);
  hour.writeUInt32LE(hour.length - 44, 40);
  fs.writeFileSync(file("hour.wav"), hour);
  const eight = Float32Array.from({ length: 8 * 49440 }, (_, i) => {
    return 0.3 * Math.sin((2 * Math.PI * 440 * Math.floor(i / 8)) / 48000);
  });
  writeWave(file("eight.wav"), eight, 48000, 8);
  const { page, notes, close } = await fresh();
  await ready(page);
  const sentences = { "empty.wav": /is empty/, "text.mp3": /no sound/, "hour.wav": /longer than/ };
  for (const [name, sentence] of Object.entries(sentences)) {
    await choose(page, "#sound-file", file(name));
    assert.match(await problem(page), sentence);
    await page.click("#problem-action");
  }
  await choose(page, "#sound-file", file("eight.wav"));
  await finished(page);
  assert.equal(notes.length, 1);
  await close();
});

test("models that cannot be used have a sentence each, and the one before goes on", async () => {
  const onnx = read("notes.onnx");
  const about = read("notes.json").toString();
  fs.writeFileSync(file("a.onnx"), onnx);
  fs.writeFileSync(file("a.json"), about);
  fs.writeFileSync(file("short.onnx"), onnx.subarray(0, onnx.length / 2));
  fs.writeFileSync(file("later.json"), about.replace(/"format": \d/, '"format": 99'));
  const { page, close } = await fresh();
  await ready(page);
  const cases = [
    [["a.onnx"], /two files/],
    [["short.onnx", "a.json"], /cut short/],
    [["a.onnx", "later.json"], /another version/],
  ];
  for (const [names, sentence] of cases) {
    await choose(page, "#model-files", ...names.map(file));
    assert.match(await problem(page), sentence);
    await page.click("#problem-action");
    await ready(page);
  }
  await choose(page, "#model-files", file("a.onnx"), file("a.json"));
  await page.waitForFunction(() => document.getElementById("model-name").textContent === "a.onnx");
  await close();
});

test("a browser without WebAssembly is told so", async () => {
  const { page, close } = await fresh({}, () => delete globalThis.WebAssembly);
  assert.match(await problem(page), /WebAssembly/);
  await close();
});

test("storage that is full loses nothing", async () => {
  const { page, notes, close } = await fresh({}, () => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await ready(page);
  await choose(page, "#sound-file", file("passage.wav"));
  await finished(page);
  await page.click("#save");
  assert.match(await problem(page), /no room left/);
  assert.equal((await page.$$("#notes > li")).length, notes.length);
  await close();
});

function keepContexts() {
  globalThis.contexts = [];
  globalThis.AudioContext = class extends AudioContext {
    constructor() {
      super();
      globalThis.contexts.push(this);
    }
  };
}

test("a microphone that is denied, missing, busy, paused or gone is no end", async () => {
  const { page, close } = await fresh({}, keepContexts);
  await ready(page);
  const names = {
    NotAllowedError: /did not allow/,
    NotFoundError: /no microphone/,
    AbortError: /read/,
  };
  for (const [name, sentence] of Object.entries(names)) {
    await page.evaluate((name) => {
      const media = navigator.mediaDevices;
      media.before ??= media.getUserMedia.bind(media);
      media.getUserMedia = () => Promise.reject(new DOMException("", name));
    }, name);
    await page.click("#listen");
    assert.match(await problem(page), sentence);
    await page.evaluate(() => (document.getElementById("problem").hidden = true));
  }
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await navigator.mediaDevices.before(wanted);
      const [track] = stream.getAudioTracks();
      const settings = { ...track.getSettings(), noiseSuppression: true };
      track.getSettings = () => settings;
      globalThis.track = track;
      return stream;
    };
  });
  await page.click("#listen");
  await page.waitForSelector("#microphone-note:not([hidden])");
  assert.match(await textOf(page, "#microphone-note"), /noise suppression/);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await page.evaluate(() => contexts[0].suspend());
  assert.match(await problem(page), /has paused/);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await page.click("#problem-action");
  assert.match(await problem(page), /[234] seconds were not heard/);
  await page.evaluate(() => track.dispatchEvent(new Event("ended")));
  assert.match(await problem(page), /is gone/);
  await finished(page);
  await close();
});
