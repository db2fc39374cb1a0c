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
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.getElementById("sure").open);
  assert.equal(await nNotes(page), passage.answers.length);
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
