/** What the page says, from texts/<language>.json. */
const LANGUAGES = ["en"]; // a translation is a file in texts/, and its name here
let texts = {};

export async function loadTexts() {
  const wanted = navigator.languages.map((language) => language.split("-")[0]);
  const language = wanted.find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];
  texts = await (await fetch(`texts/${language}.json`)).json();
  document.documentElement.lang = language;
  document.title = texts.title;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text];
  }
}

/** The text of a key such as "problems.slow", with {names} replaced by values. */
export function say(key, values = {}) {
  const text = key.split(".").reduce((part, name) => part?.[name], texts);
  if (typeof text !== "string") return key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What a label, or a node above labels, is called, and whether it is "good" or "bad". */
export function describeLabel(label) {
  const last = label.split("/").at(-1);
  const found = texts.labels?.[label] ?? texts.labels?.[last];
  if (found) return found;
  const kind = /^good/.test(last) ? "good" : /^bad/.test(last) ? "bad" : "other";
  const words = last.replace(/[-_]+/g, " ").trim();
  return { kind, title: words.charAt(0).toUpperCase() + words.slice(1) };
}

/** How an answer is told: its kind, a title, and how sure it is. */
export function describeAnswer({ answer, confidence, runnerUp, reason }) {
  const percent = Math.round(100 * confidence);
  if (answer === "unknown") {
    const why = texts.reasons?.[reason] ?? reason;
    const label = runnerUp && describeLabel(runnerUp).title;
    const isOpen = reason === "not sure at any level" && label;
    const more = isOpen ? ` ${say("maybe", { label, percent })}` : "";
    return { kind: "unsure", title: say("unknownTitle"), sure: why + more };
  }
  const word = percent >= 90 ? "sure" : percent >= 70 ? "fairlySure" : "guess";
  return { ...describeLabel(answer), sure: say(word, { percent }) };
}

export function describeInstrument(name) {
  return name ? (texts.instruments?.[name] ?? name.replace(/_/g, " ")) : say("otherInstrument");
}

/** A date and time as it is written where the texts are read. */
export function moment(date) {
  const { lang } = document.documentElement;
  return new Date(date).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
}
