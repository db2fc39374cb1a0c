/** A machine that is too slow, a browser that is too old, a page of which a part is missing. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import {
  choose,
  finished,
  launch,
  open,
  problem,
  ready,
  serve,
  writeWave,
} from "./chromium.mjs";
import { floats, told } from "./vectors.mjs";

const passage = told.passages.at(-1);
let server;
let browser;

before(async () => {
  server = await serve(process.env.SKNOTE_PAGE);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** The page, and `hear(samples, from)` in it, which is what its microphone does. */
async function withMicrophone() {
  const opened = await open(browser, server.url, {
    prepare: () => {
      globalThis.Worker = class extends Worker {
        constructor(...args) {
          super(...args);
          globalThis.worker = this;
        }
      };
    },
  });
  await ready(opened.page);
  await opened.page.evaluate((rate) => {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ kind: "start", rate, instrument: "", port: port2, number: 1 }, [port2]);
    globalThis.hear = (samples, from) => {
      port1.postMessage({ samples: Float32Array.from(samples), from });
    };
  }, passage.rate);
  return opened;
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

test("players are told once that this device does not keep up", async () => {
  const { page } = await withMicrophone();
  const quiet = Array(480).fill(0);
  await page.evaluate((quiet) => hear(quiet, 0), quiet);
  await pause(2.5);
  await page.evaluate((quiet) => hear(quiet, quiet.length), quiet);
  assert.match(await problem(page), /slow.* 2 seconds/s);
  await page.evaluate(() => (document.getElementById("problem").hidden = true));
  await page.evaluate((quiet) => hear(quiet, 2 * quiet.length), quiet);
  await pause(0.5);
  assert.ok(await page.$eval("#problem", ({ hidden }) => hidden));
  await page.close();
});

test("of more notes than can be judged the oldest are not, and are shown as that", async () => {
  const { page, notes } = await withMicrophone();
  const samples = floats(passage.file);
  const times = Math.ceil(60 / passage.answers.length);
  await page.evaluate(
    ({ samples, times }) => hear(Array.from({ length: times }, () => samples).flat(), 0),
    { samples: Array.from(samples), times },
  );
  await page.evaluate(() => worker.postMessage({ kind: "stop" }));
  await page.waitForFunction(() => /^Done/.test(document.getElementById("status").textContent));
  const late = notes.filter(({ reason }) => reason === "too slow");
  assert.ok(notes.length > 41);
  assert.ok(late.length >= notes.length - 41 && late.length > 0);
  assert.ok(late.every(({ id }) => id <= late.length));
  assert.match(await page.$eval("#notes", ({ textContent }) => textContent), /too slow to judge/);
  await page.close();
});

test("a browser without what the page needs is too old", async () => {
  const { page } = await open(browser, server.url, {
    prepare: () => {
      globalThis.Worker = class {
        constructor() {
          throw new TypeError("no modules");
        }
      };
    },
  });
  assert.match(await problem(page), /too old/);
  await page.close();
});

for (const [what, spoil] of Object.entries({
  "is missing": (file) => fs.rmSync(file),
  "is cut short": (file) => fs.truncateSync(file, 1000),
})) {
  test(`a page of which a part ${what} says so`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
    fs.cpSync(process.env.SKNOTE_PAGE, folder, { recursive: true });
    spoil(path.join(folder, "vendor/onnxruntime.wasm.gz"));
    const broken = await serve(folder);
    const { page } = await open(browser, broken.url);
    assert.match(await problem(page), /part of this page could not be loaded/);
    await page.close();
    broken.close();
    fs.rmSync(folder, { recursive: true });
  });
}

for (const [what, spoil] of Object.entries({
  "is opened as a file": () => {},
  "has a part that is not served as a script": (folder) => fs.rmSync(path.join(folder, "app.js")),
  "has no texts": (folder) => fs.rmSync(path.join(folder, "texts/en.json")),
})) {
  test(`a page that ${what} says that it has not started`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
    fs.cpSync(process.env.SKNOTE_PAGE, folder, { recursive: true });
    spoil(folder);
    const broken = await serve(folder);
    const isFile = /file/.test(what);
    const { page } = await open(browser, isFile ? `file://${folder}/index.html` : broken.url);
    await page.waitForFunction(() => {
      const told = document.getElementById("unstarted");
      return told && getComputedStyle(told).opacity === "1";
    });
    assert.match(await page.$eval("#unstarted", (told) => told.textContent), /from a web server/);
    await page.close();
    broken.close();
    fs.rmSync(folder, { recursive: true });
  });
}

test("a page that starts does not say that it has not", async () => {
  const { page } = await open(browser, server.url);
  await ready(page);
  assert.equal(await page.$("#unstarted"), null);
  await page.close();
});

test("a server may send the rules (CSP) that the page has itself", async () => {
  const html = fs.readFileSync(path.join(process.env.SKNOTE_PAGE, "index.html"), "utf8");
  const [, rules] = html.match(/content="(default-src [^"]+)"/);
  const strict = await serve(process.env.SKNOTE_PAGE, { "Content-Security-Policy": rules });
  const { page, errors } = await open(browser, strict.url);
  await ready(page);
  const wave = path.join(os.tmpdir(), `page-${process.pid}.wav`);
  writeWave(wave, floats(passage.file), passage.rate);
  await choose(page, "#sound-file", wave);
  await finished(page);
  assert.deepEqual(errors, []);
  await page.close();
  strict.close();
  fs.rmSync(wave);
});

test("a server that forbids WebAssembly is told of as that", async () => {
  const strict = await serve(process.env.SKNOTE_PAGE, {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:",
  });
  const { page } = await open(browser, strict.url);
  assert.match(await problem(page), /server of this page forbids.*wasm-unsafe-eval/);
  await page.close();
  strict.close();
});
