/**
 * From a stream of samples to the notes in it.
 * The twin of sknote/audio/segmentation/_segmenter.py.
 */
import { FrameStream, HOP } from "./frames.js";
import { NoteJoiner } from "./joiner.js";
import { OnsetNetwork } from "./network.js";
import { round } from "./numbers.js";
import { LONGEST_DOUBT } from "./trills.js";

const THRESHOLD = 0.5; // probability from which an onset counts
const LEAST_GAP = 0.05; // of two onsets within so many seconds, the likelier one is kept
const SHORTEST = 0.045; // what lasts less, before a silence, is a noise (seconds)
const SILENT = 0.4; // probability of sound below which, in frames that follow each other, it ends
const N_SILENT = 2;
const PERCEIVED = 0.008; // seconds from where a sound begins to where listeners say a note does

export class NoteSegmenter {
  constructor(sampleRate, tensors) {
    this.sampleRate = sampleRate;
    this.frames = new FrameStream(sampleRate);
    this.network = new OnsetNetwork(tensors);
    this.joiner = new NoteJoiner();
    this.latest = this.network.delay + 1 + N_SILENT; // frames until an end is told
    this.lookAhead = HOP * (this.latest + LONGEST_DOUBT);
    this.nSamples = 0;
    this.nFrames = 0;
    this.probabilities = [0, 0]; // of an onset, at the last two frames
    this.since = null; // onset of what sounds now, be it a turn of a trill
    this.begun = [0, 0]; // when that began, and how likely it was
    this.nSilent = 0;
  }

  get time() {
    return this.nSamples / this.sampleRate;
  }

  /** Onset of the note that sounds now, in seconds, or null. */
  get soundingSince() {
    return this.joiner.soundingSince;
  }

  /** Onsets of what may yet be notes: those that were told and not returned. */
  get openOnsets() {
    return this.joiner.openOnsets;
  }

  /** Take the next samples; return [onset, offset] of the notes that have become sure. */
  push(samples) {
    this.nSamples += samples.length;
    const notes = [];
    this.frames.push(samples, (frame) => {
      this._decide(this.network.push(frame));
      notes.push(...this.joiner.push(frame));
    });
    return notes;
  }

  /** End the stream; return the notes that were not returned yet. */
  flush() {
    const time = this.time;
    const notes = this._pushSilence(this.latest + 1);
    for (let i = 0; i < LONGEST_DOUBT && this.joiner.isWaiting; i++) {
      notes.push(...this._pushSilence(1));
    }
    notes.push(...this.joiner.close(time));
    return notes.filter(([on]) => on < time).map(([on, off]) => [on, Math.min(off, time)]);
  }

  _pushSilence(nFrames) {
    return this.push(new Float32Array(round(nFrames * HOP * this.sampleRate)));
  }

  _decide([onset, sound]) {
    const [before, here] = this.probabilities;
    this.probabilities = [here, onset];
    this.nFrames += 1;
    // an onset is told one frame later, when its probability falls again
    const time = (this.nFrames - 1 - this.network.delay) * HOP;
    if (here >= THRESHOLD && before <= here && here > onset) {
      this._begin(time, here, time + HOP * peak(before, here, onset) + PERCEIVED);
    } else if (this.since !== null) {
      this.nSilent = sound < SILENT ? this.nSilent + 1 : 0;
      if (this.nSilent === N_SILENT) this._end(time + HOP * (2 - N_SILENT));
    }
  }

  _begin(time, probability, onset) {
    onset = Math.max(0, onset);
    if (this.since === null || time - this.begun[0] >= LEAST_GAP) this.joiner.begin(onset);
    else if (probability > this.begun[1]) this.joiner.move(onset);
    else return;
    this.begun = [time, probability];
    this.since = onset;
    this.nSilent = 0;
  }

  _end(offset) {
    if (offset - this.since >= SHORTEST) this.joiner.end(offset);
    else this.joiner.drop();
    this.since = null;
  }
}

/** Where a parabola through three values has its peak, from the middle one. */
function peak(before, here, after) {
  return (0.5 * (before - after)) / (before - 2 * here + after);
}
