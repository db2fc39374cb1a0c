/** What players do while the page hears, and what it tells them of it. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { choose, finished, problem, ready, status, textOf, writeWave } from "./chromium.mjs";
import { useSite } from "./site.mjs";

const { fresh } = useSite();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
const file = (name) => path.join(folder, name);
after(() => fs.rmSync(folder, { recursive: true }));

const isHidden = (page, id) => page.$eval(id, ({ hidden }) => hidden);

/** A microphone that comes when `letIn()` is called; contexts and tracks are kept. */
function slowMicrophone() {
  globalThis.contexts = [];
  globalThis.tracks = [];
  globalThis.AudioContext = class extends AudioContext {
    constructor() {
      super();
      globalThis.contexts.push(this);
    }
  };
  const media = navigator.mediaDevices;
  const before = media.getUserMedia.bind(media);
  const asked = new Promise((resolve) => (globalThis.letIn = resolve));
  media.getUserMedia = async (wanted) => {
    await asked;
    const stream = await before(wanted);
    globalThis.tracks.push(...stream.getTracks());
    return stream;
  };
}

test("a second press, while the browser asks for the microphone, is a change of mind", async () => {
  const { page, errors, close } = await fresh({}, slowMicrophone);
  await ready(page);
  await page.click("#listen");
  await status(page, "Waiting for the microphone");
  assert.equal(await textOf(page, "#listen"), "Stop");
  await page.click("#listen");
  assert.equal(await textOf(page, "#listen"), "Listen to me");
  await page.evaluate(() => letIn());
  await page.waitForFunction(() => tracks[0]?.readyState === "ended");
  assert.ok(await isHidden(page, "#level"));
  await page.click("#listen");
  await status(page, "Listening");
  await page.click("#listen");
  await finished(page);
  assert.ok(await page.evaluate(() => tracks.every(({ readyState }) => readyState === "ended")));
  assert.deepEqual(errors, []);
  await close();
});

test("a pause of the browser is no longer told of after a stop", async () => {
  const { page, errors, close } = await fresh({}, slowMicrophone);
  await ready(page);
  await page.evaluate(() => letIn());
  await page.click("#listen");
  await status(page, "Listening");
  await page.evaluate(() => contexts[0].suspend());
  assert.match(await problem(page), /has paused/);
  await page.click("#listen");
  assert.ok(await isHidden(page, "#problem"));
  await finished(page);
  assert.deepEqual(errors, []);
  await close();
});

test("a recording without notes is told of with what to look for", async () => {
  const quiet = new Float32Array(48000);
  writeWave(file("silent.wav"), quiet, 48000);
  writeWave(file("short.wav"), [0.5, 0.5, 0.5], 48000);
  writeWave(file("header.wav"), [], 48000);
  const tone = quiet.map((_, i) => 0.3 * Math.sin(i / 20));
  const opposite = Array.from(tone, (value) => [value, -value]).flat();
  writeWave(file("opposite.wav"), opposite, 48000, 2);
  const { page, close } = await fresh();
  await ready(page);
  await choose(page, "#sound-file", file("silent.wav"));
  await status(page, "Done: no notes, for all was silent");
  await choose(page, "#sound-file", file("short.wav"));
  await status(page, "Done: no notes. I hear");
  await choose(page, "#sound-file", file("header.wav"));
  assert.match(await problem(page), /header.wav is empty/);
  await page.click("#problem-action");
  await choose(page, "#sound-file", file("opposite.wav"));
  assert.match(await problem(page), /each other's opposite/);
  await close();
});

/** Drop files of these names and contents on the page. */
const drop = (page, files) =>
  page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const [name, bytes] of Object.entries(files)) {
      dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
    }
    dispatchEvent(new DragEvent("drop", { dataTransfer }));
  }, files);

test("what is dropped and not opened is told of, and what is left after a stop", async () => {
  writeWave(file("short.wav"), new Float32Array(4800).fill(0.01), 48000);
  const bytes = [...fs.readFileSync(file("short.wav"))];
  const { page, close } = await fresh({}, () => {
    globalThis.said = [];
    addEventListener("DOMContentLoaded", () => {
      const told = document.getElementById("status");
      const look = new MutationObserver(() => said.push(told.textContent));
      look.observe(told, { childList: true });
    });
  });
  await ready(page);
  await drop(page, { "a.wav": bytes, "b.wav": bytes });
  assert.match(await problem(page), /Only a.wav is opened/);
  await finished(page);
  await page.click("#problem-action");
  assert.equal(await isHidden(page, "#drop-hint"), false);
  await page.click("#listen");
  await page.waitForSelector("#level:not([hidden])");
  assert.ok(await isHidden(page, "#drop-hint"));
  await drop(page, { "a.wav": bytes });
  assert.match(await problem(page), /what you dropped was not opened/);
  await page.waitForFunction(() => said.includes("A note sounds…"));
  await page.click("#listen");
  await finished(page);
  const said = await page.evaluate(() => globalThis.said);
  const after = said.slice(said.lastIndexOf("Judging the last notes…"));
  assert.equal(after.length, 2, said.join("; "));
  assert.match(after[1], /^Done/);
  await close();
});
