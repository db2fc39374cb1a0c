/**
 * From a stream of samples to the notes in it.
 * The twin of sknote/audio/segmentation/_segmenter.py.
 */
import { FrameStream, HOP } from "./frames.js";
import { OnsetNetwork } from "./network.js";
import { round } from "./numbers.js";

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
    this.lookAhead = HOP * (this.network.delay + 1 + N_SILENT);
    this.soundingSince = null; // onset of the note that sounds now, in seconds
    this.nSamples = 0;
    this.nFrames = 0;
    this.probabilities = [0, 0]; // of an onset, at the last two frames
    this.begun = [0, 0]; // when the note that sounds began, and how likely that was
    this.nSilent = 0;
  }

  get time() {
    return this.nSamples / this.sampleRate;
  }

  /** Take the next samples; return [onset, offset] of the notes that have become sure. */
  push(samples) {
    this.nSamples += samples.length;
    const notes = [];
    this.frames.push(samples, (frame) => notes.push(...this._decide(this.network.push(frame))));
    return notes;
  }

  /** End the stream; return the notes that were not returned yet. */
  flush() {
    const time = this.time;
    const wanted = this.network.delay + 1 + N_SILENT;
    const notes = this.push(new Float32Array(round((wanted + 1) * HOP * this.sampleRate)));
    if (this.soundingSince !== null) {
      notes.push([this.soundingSince, time]);
      this.soundingSince = null;
    }
    return notes.filter(([on]) => on < time).map(([on, off]) => [on, Math.min(off, time)]);
  }

  _decide([onset, sound]) {
    const [before, here] = this.probabilities;
    this.probabilities = [here, onset];
    this.nFrames += 1;
    // an onset is told one frame later, when its probability falls again
    const time = (this.nFrames - 1 - this.network.delay) * HOP;
    if (here >= THRESHOLD && before <= here && here > onset) {
      return this._begin(time, here, time + HOP * peak(before, here, onset) + PERCEIVED);
    }
    if (this.soundingSince !== null) {
      this.nSilent = sound < SILENT ? this.nSilent + 1 : 0;
      if (this.nSilent === N_SILENT) return this._end(time + HOP * (2 - N_SILENT));
    }
    return [];
  }

  _begin(time, probability, onset) {
    let notes = [];
    if (this.soundingSince !== null) {
      if (time - this.begun[0] < LEAST_GAP) {
        if (probability <= this.begun[1]) return [];
      } else {
        notes = [[this.soundingSince, onset]];
      }
    }
    this.begun = [time, probability];
    this.soundingSince = Math.max(0, onset);
    this.nSilent = 0;
    return notes;
  }

  _end(offset) {
    const onset = this.soundingSince;
    this.soundingSince = null;
    return offset - onset >= SHORTEST ? [[onset, offset]] : [];
  }
}

/** Where a parabola through three values has its peak, from the middle one. */
function peak(before, here, after) {
  return (0.5 * (before - after)) / (before - 2 * here + after);
}
