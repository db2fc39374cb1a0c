/** Tables of a session and of kept ones, and a report as a file of its own. */
import { clock, makeElement } from "./noteview.js";
import { describeAnswer, describeInstrument, moment, say } from "./texts.js";

function table(caption, head, rows) {
  const cells = (name, row) =>
    row.map((value, i) => {
      const isNumber =
        typeof value === "number" || (name === "th" && typeof rows[0]?.[i] === "number");
      const content = value instanceof Element ? value : String(value);
      const cell = makeElement(name, { className: isNumber ? "number" : "" }, content);
      if (name === "th") cell.scope = "col";
      return cell;
    });
  return makeElement(
    "table",
    {},
    makeElement("caption", {}, caption),
    makeElement("thead", {}, makeElement("tr", {}, ...cells("th", head))),
    makeElement("tbody", {}, ...rows.map((row) => makeElement("tr", {}, ...cells("td", row)))),
  );
}

/** How often each answer came, for each instrument, and in which half of the session. */
export function summaryTable(session) {
  const { notes, nGood } = session;
  if (!notes.length) return makeElement("p", { className: "hint" }, say("noSession"));
  const head = ["summaryLabel", "instrument", "summaryCount", "summaryFirst", "summarySecond"];
  const caption = say("summaryCaption", { count: notes.length, good: nGood });
  return table(
    caption,
    head.map((key) => say(key)),
    session.summary(),
  );
}

/** Kept sessions: how many notes were good, over time, and buttons with what they do by name. */
export function keptTable(sessions, actions) {
  const head = ["keptDate", "keptInstrument", "keptNotes", "keptGood"].map((key) => say(key));
  const rows = sessions.map((session) => {
    const { date, notes } = session;
    const instruments = new Set(notes.map((note) => describeInstrument(note.instrument)));
    const nGood = notes.filter((note) => describeAnswer(note).kind === "good").length;
    const buttons = Object.entries(actions).map(([name, act]) => {
      const button = makeElement("button", { type: "button" }, say(name));
      button.setAttribute("aria-label", say(`${name}Label`, { date: moment(date) }));
      button.addEventListener("click", () => act(session));
      return button;
    });
    const row = makeElement("div", { className: "row" }, ...buttons);
    const when = makeElement("div", {}, moment(date), row);
    return [when, [...instruments].join(", "), notes.length, nGood];
  });
  return table(say("keptCaption"), head, rows);
}

/** A page of its own, without scripts, to print or send. */
export function reportOf(session) {
  const rows = session.notes.map((note) => {
    const { title, sure } = describeAnswer(note);
    const where = note.where ? say(`where.${note.where}`) : "";
    return [
      note.number,
      clock(note.onset),
      describeInstrument(note.instrument),
      title,
      sure,
      where,
    ];
  });
  const names = ["number", "onset", "instrument", "title", "confidence", "where"];
  const columns = names.map((name) => say(`columns.${name}`));
  const body = makeElement(
    "body",
    {},
    makeElement("h1", {}, say("reportTitle")),
    makeElement("p", {}, moment(session.date)),
    summaryTable(session),
    table(say("notesTitle"), columns, rows),
  );
  const style =
    "body{font:11pt/1.4 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}" +
    "table{border-collapse:collapse;width:100%;margin:1rem 0}" +
    "caption{text-align:left;font-weight:bold}" +
    "th,td{text-align:left;border-bottom:1px solid #ccc;padding:.2rem .5rem .2rem 0}";
  const head =
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${say("reportTitle")}</title><style>${style}</style>`;
  const { lang } = document.documentElement;
  return `<!doctype html><html lang="${lang}"><head>${head}</head>${body.outerHTML}</html>`;
}
