/** The notes of a session, and what is made of them. */
import { describeAnswer, describeInstrument, say } from "./texts.js";

const MOST_SOUNDS = 200; // notes whose sound is kept; older ones are only words

export class Session {
  constructor() {
    this.clear();
  }

  clear() {
    this.id = `${Date.now()}`;
    this.date = new Date().toISOString();
    this.notes = [];
    this.isKept = true; // nothing of it would be lost
    this.isOpened = false; // from what was kept before
  }

  /** Be one that was kept. Its notes get numbers that the worker gives to none. */
  open({ id, date, notes }) {
    this.id = id;
    this.date = date;
    this.notes = notes.map((note) => ({ ...note, id: -note.number }));
    this.isKept = this.isOpened = true;
  }

  /** Take a note of the worker; its sound is kept in 16 bits. */
  add({ samples, ...note }, source) {
    const sound = Int16Array.from(samples, (value) => {
      return Math.max(-32768, Math.min(32767, Math.round(32767 * value)));
    });
    const added = { ...note, sound, source, number: this.notes.length + 1, where: "" };
    this.notes.push(added);
    this.isKept = false;
    const old = this.notes[this.notes.length - 1 - MOST_SOUNDS];
    if (old) old.sound = null;
    return added;
  }

  tellWhere(id, where) {
    const note = this.notes.find((one) => one.id === id);
    if (!note) return;
    note.where = where;
    this.isKept = false;
  }

  isGood(note) {
    return describeAnswer(note).kind === "good";
  }

  get nGood() {
    return this.notes.filter((note) => this.isGood(note)).length;
  }

  get instruments() {
    return [...new Set(this.notes.map((note) => describeInstrument(note.instrument)))];
  }

  /** Rows of title, instrument, count, and counts in the first and the second half. */
  summary() {
    const rows = new Map();
    const half = this.notes.length / 2;
    this.notes.forEach((note, i) => {
      const about = [describeAnswer(note).title, describeInstrument(note.instrument)];
      const row = rows.get(about.join("\n")) ?? [...about, 0, 0, 0];
      row[2] += 1;
      row[i < half ? 3 : 4] += 1;
      rows.set(about.join("\n"), row);
    });
    return [...rows.values()].sort((a, b) => b[2] - a[2]);
  }

  csv() {
    const names = "number instrument onset length title share reason where source label";
    const head = names.split(" ").map((name) => say(`columns.${name}`));
    const rows = this.notes.map((note) => {
      const { number, instrument, onset, offset, answer, confidence, where, source } = note;
      const { kind, title, sure } = describeAnswer(note);
      const length = offset === null ? "" : (offset - onset).toFixed(3);
      const told = kind === "unsure" ? ["", sure] : [confidence.toFixed(3), ""];
      return [
        number,
        describeInstrument(instrument),
        onset.toFixed(3),
        length,
        title,
        ...told,
        where && say(`where.${where}`),
        source === "microphone" ? say("microphone") : source,
        kind === "unsure" ? "" : answer,
      ];
    });
    return `\ufeff${[head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
  }
}

/** A cell of CSV that no spreadsheet takes for a formula. */
function cell(value) {
  let text = String(value ?? "");
  if (/^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
