/** What players do while the page hears, and what it tells them of it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { finished, problem, ready, status, textOf } from "./chromium.mjs";
import { useSite } from "./site.mjs";

const { fresh } = useSite();
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
