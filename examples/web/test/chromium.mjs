/** A page in headless Chromium, with a fake microphone, served from a folder. */
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

import puppeteer from "puppeteer-core";

const KINDS = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

export const CHROMIUM = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((name) => name && fs.existsSync(name));

/**
 * Serve a folder as any web server does, with more headers; returns its address, what was asked
 * for, and `close`.
 */
export async function serve(folder, headers = {}) {
  const asked = [];
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    asked.push(pathname);
    const file = path.join(folder, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    const kind = KINDS[path.extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": kind, ...headers });
    fs.createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  return {
    url: `http://localhost:${server.address().port}/`,
    asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export async function launch({ sound, flags = [], isDenied = false } = {}) {
  const fake = sound ? [`--use-file-for-fake-audio-capture=${sound}`] : [];
  const allow = isDenied ? ["--deny-permission-prompts"] : ["--use-fake-ui-for-media-stream"];
  return puppeteer.launch({
    protocolTimeout: 1_200_000,
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      ...allow,
      ...fake,
      ...flags,
    ],
  });
}

export const FIREFOX = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find((name) =>
  fs.existsSync(name),
);

export function launchFirefox() {
  return puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    protocolTimeout: 1_200_000,
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
    },
  });
}

/** Open the page; returns it, the notes that it hears, and what went wrong in its console. */
export async function open(browser, url, options = {}) {
  const { size = [1100, 900], scheme, prepare } = options;
  const page = await browser.newPage();
  if (prepare) await page.evaluateOnNewDocument(prepare);
  const notes = [];
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => {
    if (!request.url().startsWith("blob:")) errors.push(`failed: ${request.url()}`);
  });
  await page.setViewport({ width: size[0], height: size[1] });
  if (scheme) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.exposeFunction("tookNote", (note) => notes.push(note));
  await page.evaluateOnNewDocument(() => {
    document.addEventListener("note", ({ detail }) => {
      const note = { ...detail, sound: null };
      window.tookNote({ ...note, at: performance.now() });
    });
  });
  await page.goto(url);
  return { page, notes, errors };
}

export const ready = (page) =>
  page.waitForFunction(() => !document.getElementById("listen").disabled, { timeout: 60_000 });

export const finished = (page) =>
  page.waitForFunction(() => /^Done/.test(document.getElementById("status").textContent), {
    timeout: 60_000,
  });

export const textOf = (page, selector) =>
  page.$eval(selector, (element) => element.textContent);

export const status = (page, begin) =>
  page.waitForFunction(
    (begin) => document.getElementById("status").textContent.startsWith(begin),
    { timeout: 60_000 },
    begin,
  );

/** The sentence of the problem that the page tells of. */
export async function problem(page) {
  await page.waitForSelector("#problem:not([hidden])", { timeout: 20_000 });
  return textOf(page, "#problem-text");
}

/** Give the page a file as a player who chooses one. */
export async function choose(page, selector, ...files) {
  const input = await page.$(selector);
  await input.uploadFile(...files);
}

/** Write samples as a WAV file of 16 bits. */
export function writeWave(file, samples, rate, channels = 1) {
  const data = Buffer.alloc(44 + 2 * samples.length);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + 2 * samples.length, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(channels, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * channels * rate, 28);
  data.writeUInt16LE(2 * channels, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((value, i) => {
    data.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(32768 * value))), 44 + 2 * i);
  });
  fs.writeFileSync(file, data);
}
