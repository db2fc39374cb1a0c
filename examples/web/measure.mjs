/**
 * Measure the page in Chromium: node measure.mjs PAGE SOUNDS MINUTES, where SOUNDS is a folder of
 * WAV files. Prints JSON. `python -m benchmarks web` calls it.
 */
import fs from "node:fs";
import path from "node:path";

import { choose, FIREFOX, launch, launchFirefox, open, ready, serve, writeWave } from "./test/chromium.mjs";

const [folder, sounds, minutes] = process.argv.slice(2);
const names = fs.readdirSync(sounds).filter((name) => name.endsWith(".wav"));
const REPEATS = 5;
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const isDone = () => /^Done/.test(document.getElementById("status").textContent);

/** Wait until the page has done with a sound, and all that it heard of it has come here. */
async function done(page, notes, before = 0) {
  await page.waitForFunction(isDone, { timeout: 1_200_000, polling: 20 });
  const status = await page.$eval("#status", ({ textContent }) => textContent);
  while (notes.length - before < Number(status.match(/\d+/)?.[0] ?? 0)) await pause(0.01);
}

const server = await serve(folder);
const errors = [];

/** Do something with the page in a browser of its own. */
async function withPage(flags, act) {
  const browser = await (flags.isFirefox ? launchFirefox() : launch(flags));
  const opened = await open(browser, server.url);
  const begun = performance.now();
  try {
    await ready(opened.page);
    return await act({ ...opened, browser, loaded: (performance.now() - begun) / 1000 });
  } finally {
    errors.push(...opened.errors);
    await browser.close();
  }
}

function secondsOf(file) {
  const data = fs.readFileSync(file);
  return (data.length - 44) / 2 / data.readUInt32LE(24);
}

/** From a cold start to the first answer: the page is opened, and given a file at once. */
async function cold() {
  return withPage({}, async ({ page, notes }) => {
    await choose(page, "#sound-file", path.join(sounds, names[0]));
    await done(page, notes);
    const isReady = await page.evaluate(() => performance.getEntriesByName("ready")[0].startTime);
    return { ready: isReady / 1000, first: notes[0].at / 1000 };
  });
}

/** What a file takes, by its length: several times, each in a browser of its own. */
async function fromFile(name, flags = {}) {
  const file = path.join(sounds, name);
  const factors = [];
  let onsets;
  for (let i = 0; i < REPEATS; i++) {
    await withPage(flags, async ({ page, notes }) => {
      const begun = performance.now();
      await choose(page, "#sound-file", file);
      await done(page, notes);
      factors.push((performance.now() - begun) / 1000 / secondsOf(file));
      onsets = notes.map(({ onset }) => onset);
    });
  }
  return { onsets, factors };
}

/** What the microphone hears of a passage. */
async function fromMicrophone(name) {
  const sound = path.join(sounds, "played", name);
  return withPage({ sound: `${sound}%noloop` }, async ({ page, notes }) => {
    await page.click("#listen");
    await pause(secondsOf(sound) + 2);
    await page.click("#listen");
    await done(page, notes);
    const late = notes.map((note) => note.late).filter((value) => value !== null);
    return { onsets: notes.map(({ onset }) => onset), late };
  });
}

/** Memory of the page's process, in MiB, while it is given passages for so many minutes. */
async function memory() {
  const parts = names.map((name) => fs.readFileSync(path.join(sounds, name)));
  const rate = parts[0].readUInt32LE(24);
  const data = Buffer.concat(parts.map((part) => part.subarray(44)));
  const whole = new Int16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
  const file = path.join(sounds, "..", "long.wav");
  const long = new Float32Array(rate * 300);
  for (let i = 0; i < long.length; i++) long[i] = whole[i % whole.length] / 32768;
  writeWave(file, long, rate);
  return withPage({}, async ({ page, browser, notes }) => {
    const found = [];
    for (let minute = 0; minute < Number(minutes); minute += 5) {
      await page.evaluate(() => (document.getElementById("status").textContent = ""));
      const before = notes.length;
      await choose(page, "#sound-file", file);
      await done(page, notes, before);
      found.push({ minutes: minute + 5, notes: notes.length, mib: await usedBy(browser, page) });
    }
    return found;
  });
}

/** Memory of the largest renderer, in MiB, without what the page has done with. */
async function usedBy(browser, page) {
  const inspector = await page.createCDPSession();
  await inspector.send("HeapProfiler.collectGarbage");
  await inspector.detach();
  const session = await browser.target().createCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer");
  const sizes = renderers.map(({ id }) => {
    return Number(fs.readFileSync(`/proc/${id}/statm`, "utf8").split(" ")[1]) / 256;
  });
  return Math.max(...sizes);
}

const result = { cold: [], passages: {} };
for (let i = 0; i < 3; i++) result.cold.push(await cold());
for (const name of names) {
  const file = await fromFile(name);
  result.passages[path.parse(name).name] = { ...file, heard: await fromMicrophone(name) };
}
if (FIREFOX) {
  result.firefox = {};
  for (const name of names) {
    result.firefox[path.parse(name).name] = await fromFile(name, { isFirefox: true });
  }
}
result.memory = await memory();
result.errors = errors;
console.log(JSON.stringify(result));
server.close();
