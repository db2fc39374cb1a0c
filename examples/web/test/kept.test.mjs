/** Sessions that are kept on the device, and deleted. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { choose, finished, problem, ready, status, textOf, writeWave } from "./chromium.mjs";
import { useSite } from "./site.mjs";
import { floats, told } from "./vectors.mjs";

const passage = told.passages.at(-1);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
const sound = path.join(folder, "passage.wav");
const { fresh } = useSite(() => {
  writeWave(sound, floats(passage.file), passage.rate);
});

after(() => fs.rmSync(folder, { recursive: true }));

/** The page after it has heard a file. */
async function played(prepare) {
  const opened = await fresh({}, prepare);
  await ready(opened.page);
  await choose(opened.page, "#sound-file", sound);
  await finished(opened.page);
  return opened;
}

const nNotes = async (page) => (await page.$$("#notes > li")).length;

test("Escape deletes nothing, whatever was chosen before", async () => {
  const { page, close } = await played();
  await page.click("#delete");
  await page.click("#sure button[value=yes]");
  await status(page, "Everything is deleted");
  await choose(page, "#sound-file", sound);
  await finished(page);
  // Firefox leaves what a dialog returned before to one that Escape closes
  await page.$eval("#sure", (dialog) => (dialog.returnValue = "yes"));
  await page.click("#delete");
  assert.equal(await page.$eval("#sure", ({ returnValue }) => returnValue), "");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.getElementById("sure").open);
  assert.equal(await nNotes(page), passage.answers.length);
  await close();
});

/** What is given to be saved, in the place of a download. */
function catchDownloads() {
  globalThis.saved = [];
  globalThis.begun = 0;
  const addressOf = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob) => saved.push(blob) && addressOf(blob);
  HTMLAnchorElement.prototype.click = () => {};
  AudioBufferSourceNode.prototype.start = function () {
    if (this.buffer.getChannelData(0).some((value) => Math.abs(value) > 0.01)) begun += 1;
  };
}

const savedTable = (page) =>
  page.evaluate(() => {
    document.getElementById("csv").click();
    return saved.at(-1).text();
  });

test("a kept session is opened again as it was, and goes on", async () => {
  const { page, errors, close } = await played();
  await page.evaluate(catchDownloads);
  const before = await savedTable(page);
  await page.click("#save");
  await status(page, "This session is kept");
  await page.reload();
  await ready(page);
  await page.evaluate(catchDownloads);
  await page.waitForSelector("#kept tbody button");
  await page.click("#kept tbody button");
  await status(page, "This is the session of");
  assert.equal(await savedTable(page), before);
  assert.equal(await nNotes(page), passage.answers.length);
  assert.match(await textOf(page, "#session-title"), /^The session of/);
  await page.$$eval("#notes button", (buttons) => buttons.forEach((button) => button.click()));
  assert.equal(await page.evaluate(() => begun), passage.answers.length);
  assert.equal((await page.$$("#notes canvas")).length, passage.answers.length);
  await choose(page, "#sound-file", sound);
  await finished(page);
  assert.equal(await nNotes(page), 2 * passage.answers.length);
  await page.click("#save");
  await status(page, "This session is kept");
  await page.waitForFunction(
    (count) => document.querySelector("#kept td.number").textContent === String(count),
    {},
    2 * passage.answers.length,
  );
  assert.equal((await page.$$("#kept tbody tr")).length, 1);
  assert.deepEqual(errors, []);
  await close();
});

test("a new session begins, and one kept is deleted without the others", async () => {
  const { page, close } = await played();
  await page.click("#save");
  await page.waitForFunction(() => document.querySelectorAll("#kept tbody tr").length === 1);
  await page.click("#new"); // what is kept is not asked about
  await status(page, "Ready");
  assert.equal(await nNotes(page), 0);
  await choose(page, "#sound-file", sound);
  await finished(page);
  await page.click("#new");
  await page.click("#sure button[value=no]");
  assert.equal(await nNotes(page), passage.answers.length);
  await page.click("#save");
  await page.waitForFunction(() => document.querySelectorAll("#kept tbody tr").length === 2);
  await page.click("#kept tbody .row button:last-child");
  await page.click("#sure button[value=yes]");
  await page.waitForFunction(() => document.querySelectorAll("#kept tbody tr").length === 1);
  assert.equal(await nNotes(page), passage.answers.length); // not kept any longer, but there
  await page.click("#kept tbody button");
  await page.click("#sure button[value=yes]"); // they would be lost
  await status(page, "This is the session of");
  await close();
});

test("a browser that forbids to keep anything is told of, and nothing is lost", async () => {
  const { page, close } = await played(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("The operation is insecure.", "SecurityError"); // its code is 18
    };
  });
  await page.click("#save");
  assert.match(await problem(page), /does not let the page keep anything/);
  assert.equal(await nNotes(page), passage.answers.length);
  await page.click("#delete");
  await page.click("#sure button[value=yes]");
  await page.waitForFunction(() => !document.querySelector("#notes > li"));
  assert.match(await problem(page), /^This session is deleted/);
  assert.equal(await textOf(page, "#status"), "");
  await page.evaluate(() => {
    const reason = new DOMException("a reason", "InvalidStateError"); // its code is 11
    const promise = Promise.resolve();
    dispatchEvent(new PromiseRejectionEvent("unhandledrejection", { promise, reason }));
  });
  assert.match(await problem(page), /should not have.*a reason/);
  await close();
});
