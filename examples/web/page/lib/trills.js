/**
 * Trills in a stream of frames: two neighbouring pitches in turn, again and again.
 * The twin of sknote/audio/segmentation/_trills.py. Times are in frames.
 */
import { N_LOW } from "./frames.js";

const SHORTEST = 8; // cycles, of two turns
const LONGEST = 22;
const STEP = 4; // from one look to the next
const AROUND = 20; // before and behind a place, which are looked at together
const LEAST = 44; // looks at a trill last so long before it is one
const MOST = 52; // and until it is none
const NEAR = 45; // before and behind those looks, in which the turns of a trill may be
const BESIDE = 7; // before an onset, which come again a cycle later
const BEYOND = 26; // behind it, in which they do
const PERIODIC = 0.06; // likeness of frames a cycle apart, unlikeness of those half a cycle apart
const RETURNING = -0.1; // the same, at a turn
const NARROW = 5; // bands between the two pitches
const WIDE = 8; // those that are tried
const LOUD = 0.5; // level from which bands count
const FITS = 0.5; // least correlation of what comes up with what goes down, bands beside it
const BEST = 0.9; // of the best one of those tried
const SHARE = 0.05; // of what changes is what comes up, at least, and as much what goes down
const MOSTLY = 0.6; // of the looks at a trill find it narrow
const LOW = 30; // bands of low notes, of which it is not told how far two are apart
const STRONG = 0.7; // level of such notes
const BOTH = 0.35; // as SHARE, of low notes
const ONSETS = 1.4; // in a cycle of low notes, at least
const EARLY = 15; // before the first look, in which they are counted
const LATE = 10; // and behind the last one
const STILL = 0.3; // beside the length of a change: as long as one that counts for little
const MAX_TURNS = 200; // of the search for the main change

export const LONGEST_DOUBT = NEAR + MOST + AROUND + 2 * STEP;

export class TrillFinder {
  constructor() {
    this.levels = [];
    this.nFrames = 0;
    this.looked = 0; // the last place
    this.spans = []; // of looks at what is a trill, or may be
    this.onsets = [];
  }

  /** Take the next frame. */
  push(frame) {
    this.levels.push(Float64Array.from(frame.subarray(0, N_LOW)));
    if (this.levels.length > 2 * BEYOND) this.levels.shift();
    this.nFrames += 1;
    const place = this.nFrames - AROUND;
    if (place >= AROUND && place % STEP === 0) this._look(place);
  }

  /** Take an onset, told some frames after it. */
  begin(place) {
    this.onsets = [...this.onsets.slice(-63), place];
  }

  /** Whether it sounds around an onset as if it was a turn; null before that is known. */
  returns(place) {
    if (this.nFrames < place + BEYOND) return null;
    const here = place - (this.nFrames - this.levels.length);
    const after = this.levels.slice(Math.max(here - BESIDE, 0), here + BEYOND);
    const before = this.levels.slice(Math.max(here - BEYOND, 0), here + BESIDE).reverse();
    const nAfter = Math.min(here, BESIDE);
    const nBefore = Math.min(this.levels.length - here, BESIDE);
    const [forth, back] = [likeness(after, nAfter), likeness(before, nBefore)];
    return Math.max(forth.best, back.best) >= RETURNING;
  }

  /** Whether an onset is in, or near, a trill that began with another one's; null: not known. */
  isNear(start, place) {
    let mayBe = this.looked < place + NEAR;
    for (const span of this.spans) {
      const isAround = span.first - NEAR <= place && place <= span.last + NEAR;
      if (isAround && start <= span.last) {
        if (span.isTrill) return true;
        mayBe ||= span.isOpen && span.last - span.first + STEP < MOST;
      }
    }
    return mayBe ? null : false;
  }

  _look(place) {
    this.looked = place;
    const levels = this.levels.slice(-2 * AROUND);
    const { best, cycle } = likeness(levels);
    const isLike = best >= PERIODIC;
    let span = this.spans.at(-1);
    if (!span || !span.isOpen) {
      if (!isLike) return;
      span = { first: place, last: place, isOpen: true, isTrill: false };
      Object.assign(span, { nLooks: 0, nNarrow: 0, nLow: 0, nCycles: 0, sumOfCycles: 0 });
      this.spans = [...this.spans.slice(-15), span];
    }
    span.isOpen = isLike || place - span.last <= STEP; // one look may miss it
    if (!span.isOpen) return;
    span.nLooks += 1;
    if (!isLike) return;
    span.last = place;
    const interval = intervalOf(levels);
    span.nNarrow += interval === "narrow" ? 1 : 0;
    span.nLow += interval === "low" ? 1 : 0;
    span.nCycles += 1;
    span.sumOfCycles += cycle;
    span.isTrill ||= this._soundsLikeTrill(span);
  }

  _soundsLikeTrill({ first, last, nLooks, nNarrow, nLow, nCycles, sumOfCycles }) {
    const least = MOSTLY * nLooks;
    if (last - first + STEP < LEAST || nNarrow + nLow < least) return false;
    const [from, to] = [first - EARLY, last + LATE];
    const nOnsets = this.onsets.filter((onset) => from < onset && onset <= to).length;
    const n = ((to - from) * nCycles) / sumOfCycles;
    return nNarrow >= least || nOnsets >= ONSETS * n;
  }
}

/** How periodic frames are, at the best cycle, and that; so too the first ones, if any. */
function likeness(levels, nFirst = 0) {
  const n = levels.length;
  if (n < nFirst + LONGEST) return { best: -1, cycle: LONGEST };
  const changes = centred(
    levels.map((frame) => {
      const mean = frame.reduce((sum, level) => sum + level, 0) / N_LOW;
      return frame.map((level) => level - mean);
    }),
  );
  const lengths = changes.map((change) => Math.sqrt(dot(change, change)));
  const alike = (i, j) => dot(changes[i], changes[j]) / (lengths[i] * lengths[j] + STILL);
  const means = [];
  const firsts = [];
  for (let later = 0; later <= LONGEST; later++) {
    let sum = 0;
    let first = 0;
    for (let i = 0; i + later < n; i++) {
      const value = alike(i, i + later);
      sum += value;
      if (i < nFirst) first += value;
    }
    means.push(sum / (n - later));
    firsts.push(nFirst ? first / nFirst : Infinity);
  }
  let found = { best: -Infinity, cycle: LONGEST };
  for (let cycle = SHORTEST; cycle <= LONGEST; cycle++) {
    const half = Math.max(means[Math.floor(cycle / 2)], means[Math.floor((cycle + 1) / 2)]);
    const least = Math.min(means[cycle], firsts[cycle], -half);
    if (least > found.best) found = { best: least, cycle };
  }
  return found;
}

/**
 * How far two pitches are apart between which frames change: "narrow" for a tone or a little more,
 * "low" if it cannot be told, else null.
 */
function intervalOf(levels) {
  const loud = levels.map((frame) => frame.map((level) => Math.max(level, LOUD)));
  const main = mainChange(centred(loud));
  const ups = main.map((value) => Math.max(value, 0));
  const downs = main.map((value) => Math.max(-value, 0));
  const size = Math.sqrt(dot(ups, ups) * dot(downs, downs)) + 1e-9;
  let [narrow, widest] = [0, 0];
  for (let by = 0; by <= WIDE; by++) {
    let [up, down] = [0, 0];
    for (let band = WIDE; band < N_LOW - WIDE; band++) {
      up += ups[band] * downs[band + by];
      down += ups[band] * downs[band - by];
    }
    const fit = Math.max(up, down) / size;
    widest = Math.max(widest, fit);
    if (by >= 1 && by <= NARROW) narrow = Math.max(narrow, fit);
  }
  const share = Math.min(dot(ups, ups), dot(downs, downs)) / (dot(main, main) + 1e-9);
  if (share >= SHARE && narrow >= Math.max(FITS, BEST * widest)) return "narrow";
  const isLow = levels.some((frame) => frame.subarray(0, LOW).some((level) => level > STRONG));
  return share >= BOTH && isLow ? "low" : null;
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
  const mean = new Float64Array(N_LOW);
  for (const frame of frames) {
    for (let band = 0; band < N_LOW; band++) mean[band] += frame[band] / frames.length;
  }
  return frames.map((frame) => frame.map((level, band) => level - mean[band]));
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < N_LOW; i++) sum += a[i] * b[i];
  return sum;
}
