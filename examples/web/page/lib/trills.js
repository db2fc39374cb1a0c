/**
 * Trills in a stream of frames: two neighbouring pitches in turn, again and again.
 * The twin of sknote/audio/segmentation/_trills.py. Times are in frames.
 */
import { N_LOW } from "./frames.js";

const SHORTEST = 8; // cycles, of two turns
const LONGEST = 22;
const STEP = 4; // from one look to the next
const AROUND = 20; // before and behind a place, which are looked at together
const LEAST = 36; // looks at a trill last so long before it is one
const MOST = 44; // and until it is none
const NEAR = 45; // before and behind those looks, in which the turns of a trill may be
const BESIDE = 7; // before an onset, which come again a cycle later
const BEYOND = 26; // behind it, in which they do
const LONGEST_TURN = 40; // the first or the last one, at one of the two pitches
const SOON = 20; // as NEAR, for the first turn
const PERIODIC = 0.06; // likeness of frames a cycle apart, unlikeness of those half a cycle apart
const RETURNING = -0.1; // the same, at a turn
const LOUD = 0.5; // level from which bands count
const EXTREME = 8; // frames that are most at one of the two pitches
const NARROW = 5; // bands between the two pitches
const WIDE = 24; // those that are tried
const STEADY = 0.1; // by which two tones of one pitch may be more alike than a tone apart
const FITS = -0.02; // by which two tones are more alike a tone apart than at others, less
const LOUDNESS = 0.3; // this part of the share of their difference that is one of loudness
const SMOOTH = 6; // bands on either side, above whose average harmonics stand
const STILL = 0.3; // beside the length of a change: as long as one that counts for little
const MAX_TURNS = 200; // of the search for the main change
const KEPT = NEAR + MOST + AROUND + 2 * STEP + LONGEST_TURN; // frames

export const LONGEST_DOUBT = NEAR + MOST + AROUND + 2 * STEP;

export class TrillFinder {
  constructor() {
    this.levels = [];
    this.nFrames = 0;
    this.looked = 0; // the last place
    this.spans = []; // of looks at what is a trill, or may be
  }

  /** Take the next frame. */
  push(frame) {
    this.levels.push(Float64Array.from(frame.subarray(0, N_LOW)));
    if (this.levels.length > KEPT) this.levels.shift();
    this.nFrames += 1;
    const place = this.nFrames - AROUND;
    if (place >= AROUND && place % STEP === 0) this._look(place);
  }

  /** Whether it sounds around an onset as if it was a turn; null before that is known. */
  returns(place) {
    if (this.nFrames < place + BEYOND) return null;
    const after = this._heard(place - BESIDE, place + BEYOND);
    const before = this._heard(place - BEYOND, place + BESIDE).reverse();
    const [forth, back] = [likeness(after, Math.min(place, BESIDE)), likeness(before, BESIDE)];
    return Math.max(forth, back) >= RETURNING;
  }

  /**
   * Whether an onset is a turn of a trill that began with the note of `start`, and whose last turn
   * before that began at `turn`; what follows ends at `end`, or null. Null: not known yet.
   */
  isTurn(start, turn, place, end, returns) {
    if (returns === null) return null;
    const trill = this._trillNear(start, place, returns ? NEAR : SOON);
    if (!trill || (returns && trill.first <= place && place <= trill.last)) return trill && true;
    const isFirst = place - trill.first < trill.last - place;
    const [from, stop] = isFirst ? [turn, place] : [place, end ?? this.nFrames];
    if (!returns && stop - from > LONGEST_TURN) return false;
    if (!returns && !isFirst && end === null) return null;
    if (isFirst) return this._isAt(trill.pitches, Math.max(from + 2, stop - AROUND), stop);
    return this._isAt(trill.pitches, from + 2, Math.min(stop, from + AROUND));
  }

  /** The trill that an onset is in or near; false if there is none; null: not known yet. */
  _trillNear(start, place, before) {
    let mayBe = this.looked < place + before;
    for (const span of this.spans) {
      const isAround = span.first - before <= place && place <= span.last + NEAR;
      if (isAround && start <= span.last) {
        if (span.isTrill) return span;
        mayBe ||= span.isOpen && span.last - span.first + STEP < MOST;
      }
    }
    return mayBe ? null : false;
  }

  /** Whether one of two pitches was heard between two places. */
  _isAt(pitches, start, stop) {
    const heard = harmonics(meanOf(this._heard(Math.min(start, stop - 1), stop)));
    return pitches.some((pitch) => {
      const fits = alike(heard, pitch);
      return Math.max(fits[0], fits[1]) >= Math.max(...fits.slice(2));
    });
  }

  _heard(start, end) {
    const later = this.nFrames - this.levels.length;
    return this.levels.slice(Math.max(start - later, 0), Math.max(end - later, 1));
  }

  _look(place) {
    this.looked = place;
    const levels = this.levels.slice(-2 * AROUND);
    const isLike = likeness(levels) >= PERIODIC;
    let span = this.spans.at(-1);
    if (!span || !span.isOpen) {
      if (!isLike) return;
      span = { first: place, last: place, isOpen: true, isTrill: false, n: 0, sum: 0 };
      Object.assign(span, { pitches: null, clearest: -Infinity });
      this.spans = [...this.spans.slice(-15), span];
    }
    if (!isLike) {
      span.isOpen = place - span.last <= STEP; // one look may miss it
      return;
    }
    span.last = place;
    if (span.isTrill) return;
    const tones = tonesOf(levels);
    const pitches = tones.map(harmonics);
    const fit = fitOf(...pitches) - LOUDNESS * loudnessShare(...tones);
    if (fit > span.clearest) Object.assign(span, { pitches, clearest: fit });
    span.n += 1;
    span.sum += fit;
    span.isTrill = span.last - span.first + STEP >= LEAST && span.sum / span.n >= FITS;
  }
}

/** How periodic frames are, at the best cycle; so too the first ones, if any. */
function likeness(levels, nFirst = 0) {
  const n = levels.length;
  if (n < nFirst + LONGEST) return -1;
  const changes = centred(
    levels.map((frame) => {
      const mean = frame.reduce((sum, level) => sum + level, 0) / N_LOW;
      return frame.map((level) => level - mean);
    }),
  );
  const lengths = changes.map((change) => Math.sqrt(dot(change, change)));
  const pair = (i, j) => dot(changes[i], changes[j]) / (lengths[i] * lengths[j] + STILL);
  const means = [];
  const firsts = [];
  for (let later = 0; later <= LONGEST; later++) {
    let sum = 0;
    let first = 0;
    for (let i = 0; i + later < n; i++) {
      const value = pair(i, i + later);
      sum += value;
      if (i < nFirst) first += value;
    }
    means.push(sum / (n - later));
    firsts.push(nFirst ? first / nFirst : Infinity);
  }
  let best = -Infinity;
  for (let cycle = SHORTEST; cycle <= LONGEST; cycle++) {
    const half = Math.max(means[Math.floor(cycle / 2)], means[Math.floor((cycle + 1) / 2)]);
    best = Math.max(best, Math.min(means[cycle], firsts[cycle], -half));
  }
  return best;
}

/** The levels of both tones between which frames change. */
function tonesOf(levels) {
  const changes = centred(levels.map((frame) => frame.map((level) => Math.max(level, LOUD))));
  const main = mainChange(changes);
  const sides = changes.map((change) => dot(change, main));
  const order = levels.map((_, i) => i).sort((i, j) => sides[i] - sides[j]);
  const some = [order.slice(0, EXTREME), order.slice(-EXTREME)];
  return some.map((places) => meanOf(places.map((place) => levels[place])));
}

/** How much of the difference between two tones is that of their loudness, 0 to 1. */
function loudnessShare(one, other) {
  const difference = one.map((level, band) => level - other[band]);
  const mean = difference.reduce((sum, value) => sum + value, 0) / N_LOW;
  return Math.abs(mean) / (Math.sqrt(dot(difference, difference) / N_LOW) + 1e-9);
}

/** Levels of the bands above what is around them. */
function harmonics(levels) {
  const above = levels.map((level) => Math.max(level, 0));
  return above.map((level, band) => {
    let around = 0;
    for (let by = -SMOOTH; by <= SMOOTH; by++) {
      around += above[Math.min(Math.max(band + by, 0), N_LOW - 1)];
    }
    return level - around / (2 * SMOOTH + 1);
  });
}

/** How much better than at other intervals two tones fit each other a tone apart. */
function fitOf(low, high) {
  const fits = alike(low, high);
  const others = Math.max(fits[0] - STEADY, ...fits.slice(NARROW + 1));
  return Math.max(...fits.slice(1, NARROW + 1)) - others;
}

/** How alike two tones are if one is moved by so many bands, from 0, up or down. */
function alike(one, other) {
  const size = Math.sqrt(dot(one, one) * dot(other, other)) + 1e-9;
  return Array.from({ length: WIDE + 1 }, (_, by) => {
    let [up, down] = [0, 0];
    for (let band = by; band < N_LOW; band++) {
      up += one[band] * other[band - by];
      down += one[band - by] * other[band];
    }
    return Math.max(up, down) / size;
  });
}

/** The direction in which frames change most, by repeated multiplication. */
function mainChange(changes) {
  const longest = changes.reduce((a, b) => (dot(b, b) > dot(a, a) ? b : a));
  let main = longest.map((value) => value / (Math.sqrt(dot(longest, longest)) + 1e-12));
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const next = new Float64Array(N_LOW);
    for (const change of changes) {
      const part = dot(change, main);
      for (let band = 0; band < N_LOW; band++) next[band] += part * change[band];
    }
    const length = Math.sqrt(dot(next, next)) + 1e-12;
    const moved = next.reduce((sum, value, band) => sum + (value / length - main[band]) ** 2, 0);
    main = next.map((value) => value / length);
    if (moved < 1e-12) break;
  }
  return main;
}

function centred(frames) {
  const mean = meanOf(frames);
  return frames.map((frame) => frame.map((level, band) => level - mean[band]));
}

function meanOf(frames) {
  const mean = new Float64Array(N_LOW);
  for (const frame of frames) {
    for (let band = 0; band < N_LOW; band++) mean[band] += frame[band] / frames.length;
  }
  return mean;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < N_LOW; i++) sum += a[i] * b[i];
  return sum;
}
