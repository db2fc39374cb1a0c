/**
 * From sounds that follow each other to notes: the turns of a trill are one note.
 * The twin of sknote/audio/segmentation/_joiner.py.
 */
import { HOP } from "./frames.js";
import { round } from "./numbers.js";
import { TrillFinder } from "./trills.js";

const PAUSE = 10; // frames of silence between two turns of a trill, at most

export class NoteJoiner {
  constructor() {
    this.trills = new TrillFinder();
    this.nFrames = 0;
    this.notes = []; // the first has begun for sure; the others may be turns of it
  }

  /** Onsets of all that may yet be notes; a trill that sounds is one of them. */
  get openOnsets() {
    const inTrill = this.notes.length > 0 && this.notes[0].isTrill;
    const open = this.notes.filter((note, i) => i === 0 || !(inTrill && note.isHidden));
    return open.map((note) => note.onset);
  }

  /** The last of them, if it sounds, or null. */
  get soundingSince() {
    const sounds = this.notes.length > 0 && this.notes.at(-1).offset === null;
    return sounds ? this.openOnsets.at(-1) : null;
  }

  /** Whether something has ended that was not given. */
  get isWaiting() {
    return this.notes.length > 1 || this.notes.some((note) => note.offset !== null);
  }

  /** Take the next frame; return [onset, offset] of the notes that are sure by it. */
  push(frame) {
    this.trills.push(frame);
    this.nFrames += 1;
    for (const note of this.notes) note.returns ??= this.trills.returns(note.place);
    const sure = [];
    while (this.notes.length > 0) {
      const isTurn = this._follows();
      if (isTurn === null) break;
      const first = this.notes.shift();
      if (isTurn) Object.assign(this.notes[0], { onset: first.onset, isTrill: true });
      else sure.push([first.onset, first.offset]);
    }
    return sure;
  }

  /** Whether the second note is a turn of the first; null: wait. */
  _follows() {
    const [first, second] = this.notes;
    if (second) {
      if (!second.isLegato && !first.isTrill) return false;
      const end = second.offset === null ? null : placeOf(second.offset);
      const places = [placeOf(first.onset), first.place, second.place, end];
      return this.trills.isTurn(...places, second.returns);
    }
    const mayGoOn = first.isTrill && this.nFrames < first.ended + PAUSE;
    return first.offset === null || mayGoOn ? null : false;
  }

  /** Take an onset, in seconds; what sounded until then ends. */
  begin(onset) {
    const isLegato = this.notes.length > 0 && this.notes.at(-1).offset === null;
    if (isLegato) this.end(onset);
    const isHidden = this.notes.length > 0 && this.notes[0].isTrill; // a turn until it is none
    const about = { isLegato, isHidden, offset: null, ended: 0, returns: null, isTrill: false };
    this.notes.push({ onset, place: placeOf(onset), ...about });
  }

  /** Take a better onset of what sounds. */
  move(onset) {
    Object.assign(this.notes.at(-1), { onset, place: placeOf(onset) });
  }

  /** Take an offset, in seconds, of what sounds. */
  end(offset) {
    Object.assign(this.notes.at(-1), { offset, ended: this.nFrames });
  }

  /** Forget what sounds: it was a noise. */
  drop() {
    this.notes.pop();
  }

  /** End what sounds, in seconds; return the notes that were not given. */
  close(time) {
    if (this.soundingSince !== null) this.end(time);
    const notes = this.notes.map((note) => [note.onset, note.offset]);
    this.notes = [];
    return notes;
  }
}

function placeOf(seconds) {
  return round(seconds / HOP);
}
