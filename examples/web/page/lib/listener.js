/**
 * Notes of a stream, cut out of it as they end.
 * The twin of sknote.deploy.NoteStream without provisional verdicts.
 */
import { round } from "./numbers.js";
import { Recent } from "./recent.js";
import { NoteSegmenter } from "./segmenter.js";

const BLOCK = 0.01; // seconds that are looked at together, whatever the chunks
const BEFORE = 0.05; // seconds before a note that come along, as far as no other note sounds there
const SAME = 0.07; // seconds by which the onset of a note that sounds may move
const LONGEST = 60; // seconds of the longest note
const SLACK = 1;

export class NoteListener {
  /** @param tensors of the segmenter's network */
  constructor(sampleRate, tensors, { longest = LONGEST } = {}) {
    this.sampleRate = sampleRate;
    this.segmenter = new NoteSegmenter(sampleRate, tensors);
    this.longest = round(longest * sampleRate);
    this.before = round(BEFORE * sampleRate);
    this.patience = Math.ceil(this.segmenter.lookAhead * sampleRate);
    this.recent = new Recent(this.longest + 2 * this.patience + Math.ceil(SLACK * sampleRate));
    this.rest = new Float32Array(Math.ceil(BLOCK * sampleRate) + 1); // of a block that is not full
    this.nRest = 0;
    this.nBlocks = 0;
    this.lastEnd = 0; // of the notes that have ended, in samples
    this.open = []; // what may yet be notes: {onset, isTold}, in samples
  }

  /** Whether a note sounds now. */
  get isSounding() {
    return this.segmenter.soundingSince !== null;
  }

  /**
   * Hear the next samples; return the notes that are over, each with `onset` and `offset` in
   * seconds (null: longer than the longest) and the `samples` by which it is judged.
   */
  push(samples) {
    const found = [];
    let at = 0;
    for (;;) {
      const start = round(this.nBlocks * BLOCK * this.sampleRate);
      const size = round((this.nBlocks + 1) * BLOCK * this.sampleRate) - start;
      const more = Math.min(size - this.nRest, samples.length - at);
      this.rest.set(samples.subarray(at, at + more), this.nRest);
      this.nRest += more;
      at += more;
      if (this.nRest < size) return found;
      found.push(...this._hear(this.rest.subarray(0, size)));
      this.nBlocks += 1;
      this.nRest = 0;
    }
  }

  /** End the stream, and with it the note that sounds. */
  close() {
    const found = this.nRest ? this._hear(this.rest.subarray(0, this.nRest)) : [];
    this.nRest = 0;
    return [...found, ...this._follow(this.segmenter.flush())];
  }

  _hear(block) {
    this.recent.write(block);
    return this._follow(this.segmenter.push(block));
  }

  _follow(notes) {
    const found = [];
    for (const [on, off] of notes) {
      const note = this._take(on);
      const offset = round(off * this.sampleRate);
      const isWhole = offset - note.onset <= this.longest;
      if (!note.isTold) found.push(this._cut(note.onset, offset, isWhole));
      this.lastEnd = offset;
    }
    this.open = this.segmenter.openOnsets.map((onset) => this._take(onset));
    const note = this.isSounding ? this.open.at(-1) : null;
    if (note && !note.isTold && this.recent.end - note.onset >= this.longest + this.patience) {
      note.isTold = true;
      found.push(this._cut(note.onset, this.recent.end, false));
    }
    return found;
  }

  /** Take the open note whose onset this is, in seconds; else a new one. */
  _take(seconds) {
    const onset = round(seconds * this.sampleRate);
    const distance = (note) => Math.abs(note.onset - onset);
    const near = this.open.filter((note) => distance(note) < SAME * this.sampleRate);
    const note = near.sort((a, b) => distance(a) - distance(b))[0];
    this.open = this.open.filter((other) => other !== note);
    return { onset, isTold: note ? note.isTold : false };
  }

  _cut(onset, offset, isWhole) {
    const start = Math.min(onset, Math.max(onset - this.before, this.lastEnd));
    const stop = Math.max(onset + 1, Math.min(offset, onset + this.longest));
    return {
      onset: onset / this.sampleRate,
      offset: isWhole ? offset / this.sampleRate : null,
      start: start / this.sampleRate,
      samples: this.recent.read(start, stop),
    };
  }
}
