/** Notes as a list, the newest on top. */
import { drawSpectrogram } from "./drawing.js";
import { describeAnswer, say } from "./texts.js";

const MOST_SHOWN = 100;

export function makeElement(name, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = seconds - 60 * minutes;
  return `${minutes}:${rest < 9.95 ? "0" : ""}${rest.toFixed(1)}`;
}

export class NoteView {
  constructor(list, more, player) {
    this.list = list;
    this.more = more;
    this.player = player;
    this.places = new Map(); // where it is said in which part of a note a fault was
  }

  clear() {
    this.list.replaceChildren();
    this.places.clear();
    this.more.hidden = true;
  }

  add(note) {
    const { kind, title, sure } = describeAnswer(note);
    const { number, onset, offset } = note;
    const time = clock(onset);
    const length = offset === null ? "" : (offset - onset).toFixed(2);
    const place = say(offset === null ? "placeLong" : "place", { time, length });
    const where = makeElement("span");
    this.places.set(note.id, where);
    const head = makeElement(
      "p",
      { className: "head" },
      makeElement("span", {}, say("note", { number })),
      makeElement("strong", {}, title),
      makeElement("span", {}, sure),
    );
    const line = makeElement("p", { className: "hint" }, place, where);
    const told = makeElement("div", { className: "told" }, head, line);
    const item = makeElement("li", { className: `note ${kind}` }, told, ...this._buttons(note));
    this.list.prepend(item);
    while (this.list.children.length > MOST_SHOWN) {
      this.list.lastChild.remove();
      this.places.delete(this.places.keys().next().value);
    }
    if (note.where) this.tellWhere(note.id, note.where);
    this.more.hidden = number <= MOST_SHOWN;
    this.more.textContent = say("moreNotes", { count: number - MOST_SHOWN });
  }

  tellWhere(id, where) {
    const element = this.places.get(id);
    if (element) element.textContent = `, ${say(`where.${where}`)}`;
  }

  _buttons(note) {
    const { number } = note;
    const row = makeElement("div", { className: "row" });
    const button = (text, label) => {
      const made = makeElement("button", { type: "button" }, say(text));
      made.setAttribute("aria-label", say(label, { number }));
      row.append(made);
      return made;
    };
    button("play", "playLabel").addEventListener("click", () => this.player(note));
    const look = button("look", "lookLabel");
    look.setAttribute("aria-expanded", "false");
    const picture = makeElement("div", { className: "picture" });
    look.addEventListener("click", () => this._look(picture, look, note));
    return [row, picture];
  }

  _look(picture, button, note) {
    const shown = picture.querySelector("canvas");
    button.setAttribute("aria-expanded", String(!shown));
    if (shown) return shown.remove();
    if (!note.sound) return;
    const canvas = makeElement("canvas", { width: 600, height: 160 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", say("spectrogram", { number: note.number }));
    picture.append(canvas);
    drawSpectrogram(canvas, note.sound, note.sampleRate);
  }
}
