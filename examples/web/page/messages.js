/** What the page tells beside the notes: what it does, what is wrong and how to go on. */
import { Problem } from "./lib/problem.js";
import { say } from "./texts.js";

const READ_OUT = 1500; // ms that a note has to be read out
const $ = (id) => document.getElementById(id);
const reload = ["reload", () => location.reload()];
const ways = { pageBroken: reload, unexpected: reload }; // by problem: an action and what it does
let told = null; // the code of the problem that is shown
let announced = "";
let announcing = null;

export function setStatus(key, values) {
  $("status").textContent = key && say(key, values);
}

/** Let a problem have a button with an action, and what that does. */
export function wayOn(code, action, act) {
  ways[code] = [action, act];
}

/** Tell what is wrong, and offer a way on. */
export function problem(code, values = {}, way = ways[code] ?? ["close", () => {}]) {
  const [action, act] = way;
  told = code;
  $("problem-text").textContent = say(`problems.${code}`, values);
  $("problem-action").textContent = say(`actions.${action}`);
  $("problem-action").onclick = () => {
    clearProblem();
    act();
  };
  $("problem-action").hidden = false;
  $("problem").hidden = false;
}

/** Tell of what was thrown; what is no Problem was not foreseen. */
export function tellError(error) {
  const code = error instanceof Problem ? error.code : "unexpected";
  problem(code, { detail: error?.message ?? error, ...error?.values });
}

/** Take the problem away; with a code, only if it is that one. */
export function clearProblem(code = told) {
  if (code === told) $("problem").hidden = true;
}

/** Read the newest note out; of fast ones not each, so that a screen reader keeps up. */
export function announce(text) {
  announced = text;
  if (announcing) return;
  $("announcer").textContent = text;
  announcing = setTimeout(() => {
    announcing = null;
    if (announced !== text) announce(announced);
  }, READ_OUT);
}

/** Ask whether they are sure. Escape is a no. */
export function ask(question, yes, values) {
  const dialog = $("sure");
  $("sure-text").textContent = say(question, values);
  $("sure-yes").textContent = say(yes);
  dialog.returnValue = ""; // Firefox would leave what was chosen before to Escape
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "yes");
    dialog.addEventListener("close", answer, { once: true });
  });
}
