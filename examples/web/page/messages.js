/** What the page tells beside the notes: what it does, what is wrong and how to go on. */
import { say } from "./texts.js";

const READ_OUT = 1500; // ms that a note has to be read out
const $ = (id) => document.getElementById(id);
const reload = ["reload", () => location.reload()];
const ways = { pageBroken: reload, unexpected: reload }; // by problem: an action and what it does
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
  $("problem-text").textContent = say(`problems.${code}`, values);
  $("problem-action").textContent = say(`actions.${action}`);
  $("problem-action").onclick = () => {
    clearProblem();
    act();
  };
  $("problem-action").hidden = false;
  $("problem").hidden = false;
}

export function clearProblem() {
  $("problem").hidden = true;
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
