/** The Fourier transform of real samples, of lengths without prime factors above 5. */
export class Fourier {
  constructor(size) {
    this.size = size;
    this.isEven = size % 2 === 0; // then it is made of one of half its length
    this.inner = new ComplexFourier(this.isEven ? size / 2 : size);
    this.turns = turnsOf(size);
  }

  /** The first `count` squared magnitudes of the spectrum of `samples`, padded with zeros. */
  power(samples, count, result) {
    const { inner, isEven, turns } = this;
    const [re, im] = inner.input();
    const stop = isEven ? Math.ceil(samples.length / 2) : samples.length;
    for (let i = 0; i < stop; i++) {
      re[i] = isEven ? samples[2 * i] : samples[i];
      im[i] = isEven && 2 * i + 1 < samples.length ? samples[2 * i + 1] : 0;
    }
    re.fill(0, stop);
    im.fill(0, stop);
    const [outRe, outIm] = inner.transform();
    const half = inner.size;
    for (let k = 0; k < count; k++) {
      if (!isEven) {
        result[k] = outRe[k] ** 2 + outIm[k] ** 2;
        continue;
      }
      const at = k % half;
      const mirrored = (half - at) % half;
      const evenRe = outRe[at] + outRe[mirrored];
      const evenIm = outIm[at] - outIm[mirrored];
      const oddRe = outIm[at] + outIm[mirrored];
      const oddIm = outRe[mirrored] - outRe[at];
      const sumRe = evenRe + oddRe * turns.cos[k] - oddIm * turns.sin[k];
      const sumIm = evenIm + oddRe * turns.sin[k] + oddIm * turns.cos[k];
      result[k] = (sumRe * sumRe + sumIm * sumIm) / 4;
    }
    return result;
  }
}

/** Stockham's algorithm, which needs no reordering. */
class ComplexFourier {
  constructor(size) {
    this.size = size;
    this.factors = factorsOf(size);
    this.turns = turnsOf(size);
    this.re = [new Float64Array(size), new Float64Array(size)];
    this.im = [new Float64Array(size), new Float64Array(size)];
  }

  /** Where the samples are to be written: real and imaginary parts. */
  input() {
    return [this.re[0], this.im[0]];
  }

  transform() {
    let [re, nextRe] = this.re;
    let [im, nextIm] = this.im;
    let stride = 1; // so many transforms of length size / stride are interleaved
    for (const factor of this.factors) {
      PASSES[factor](this, stride, re, im, nextRe, nextIm);
      [re, nextRe, im, nextIm] = [nextRe, re, nextIm, im];
      stride *= factor;
    }
    return [re, im];
  }
}

function passOfFour({ size, turns: { cos, sin } }, stride, re, im, outRe, outIm) {
  const part = size / stride / 4;
  const step = part * stride;
  for (let p = 0; p < part; p++) {
    const c1 = cos[p * stride];
    const s1 = sin[p * stride];
    const c2 = cos[2 * p * stride];
    const s2 = sin[2 * p * stride];
    const c3 = cos[3 * p * stride];
    const s3 = sin[3 * p * stride];
    const from = stride * p;
    const to = stride * 4 * p;
    for (let q = 0; q < stride; q++) {
      const a = from + q;
      const b = a + step;
      const c = b + step;
      const d = c + step;
      const o = to + q;
      const sumRe = re[a] + re[c];
      const sumIm = im[a] + im[c];
      const lessRe = re[a] - re[c];
      const lessIm = im[a] - im[c];
      const otherRe = re[b] + re[d];
      const otherIm = im[b] + im[d];
      const turnedRe = im[b] - im[d]; // (b - d) times -i
      const turnedIm = re[d] - re[b];
      outRe[o] = sumRe + otherRe;
      outIm[o] = sumIm + otherIm;
      write(outRe, outIm, o + stride, lessRe + turnedRe, lessIm + turnedIm, c1, s1);
      write(outRe, outIm, o + 2 * stride, sumRe - otherRe, sumIm - otherIm, c2, s2);
      write(outRe, outIm, o + 3 * stride, lessRe - turnedRe, lessIm - turnedIm, c3, s3);
    }
  }
}

function write(outRe, outIm, at, re, im, cos, sin) {
  outRe[at] = re * cos - im * sin;
  outIm[at] = re * sin + im * cos;
}

function passOfTwo({ size, turns: { cos, sin } }, stride, re, im, outRe, outIm) {
  const part = size / stride / 2;
  const step = part * stride;
  for (let p = 0; p < part; p++) {
    const c = cos[p * stride];
    const s = sin[p * stride];
    for (let q = 0; q < stride; q++) {
      const a = stride * p + q;
      const b = a + step;
      const o = stride * 2 * p + q;
      outRe[o] = re[a] + re[b];
      outIm[o] = im[a] + im[b];
      write(outRe, outIm, o + stride, re[a] - re[b], im[a] - im[b], c, s);
    }
  }
}

const SIN_3 = Math.sin((2 * Math.PI) / 3);

function passOfThree({ size, turns: { cos, sin } }, stride, re, im, outRe, outIm) {
  const part = size / stride / 3;
  const step = part * stride;
  for (let p = 0; p < part; p++) {
    const c1 = cos[p * stride];
    const s1 = sin[p * stride];
    const c2 = cos[2 * p * stride];
    const s2 = sin[2 * p * stride];
    for (let q = 0; q < stride; q++) {
      const a = stride * p + q;
      const b = a + step;
      const c = b + step;
      const o = stride * 3 * p + q;
      const sumRe = re[b] + re[c];
      const sumIm = im[b] + im[c];
      const midRe = re[a] - sumRe / 2;
      const midIm = im[a] - sumIm / 2;
      const turnedRe = SIN_3 * (im[b] - im[c]); // (b - c) times -i
      const turnedIm = SIN_3 * (re[c] - re[b]);
      outRe[o] = re[a] + sumRe;
      outIm[o] = im[a] + sumIm;
      write(outRe, outIm, o + stride, midRe + turnedRe, midIm + turnedIm, c1, s1);
      write(outRe, outIm, o + 2 * stride, midRe - turnedRe, midIm - turnedIm, c2, s2);
    }
  }
}

const [COS_5, COS_52] = [1, 2].map((k) => Math.cos((2 * Math.PI * k) / 5));
const [SIN_5, SIN_52] = [1, 2].map((k) => Math.sin((2 * Math.PI * k) / 5));

function passOfFive({ size, turns: { cos, sin } }, stride, re, im, outRe, outIm) {
  const part = size / stride / 5;
  const step = part * stride;
  for (let p = 0; p < part; p++) {
    const at = p * stride;
    for (let q = 0; q < stride; q++) {
      const a = at + q;
      const b = a + step;
      const c = b + step;
      const d = c + step;
      const e = d + step;
      const o = 5 * at + q;
      const outerRe = re[b] + re[e];
      const outerIm = im[b] + im[e];
      const innerRe = re[c] + re[d];
      const innerIm = im[c] + im[d];
      const farRe = im[b] - im[e]; // (b - e) times -i
      const farIm = re[e] - re[b];
      const nearRe = im[c] - im[d];
      const nearIm = re[d] - re[c];
      const oneRe = re[a] + COS_5 * outerRe + COS_52 * innerRe;
      const oneIm = im[a] + COS_5 * outerIm + COS_52 * innerIm;
      const twoRe = re[a] + COS_52 * outerRe + COS_5 * innerRe;
      const twoIm = im[a] + COS_52 * outerIm + COS_5 * innerIm;
      const u = SIN_5 * farRe + SIN_52 * nearRe;
      const v = SIN_5 * farIm + SIN_52 * nearIm;
      const w = SIN_52 * farRe - SIN_5 * nearRe;
      const z = SIN_52 * farIm - SIN_5 * nearIm;
      outRe[o] = re[a] + outerRe + innerRe;
      outIm[o] = im[a] + outerIm + innerIm;
      write(outRe, outIm, o + stride, oneRe + u, oneIm + v, cos[at], sin[at]);
      write(outRe, outIm, o + 2 * stride, twoRe + w, twoIm + z, cos[2 * at], sin[2 * at]);
      write(outRe, outIm, o + 3 * stride, twoRe - w, twoIm - z, cos[3 * at], sin[3 * at]);
      write(outRe, outIm, o + 4 * stride, oneRe - u, oneIm - v, cos[4 * at], sin[4 * at]);
    }
  }
}

const PASSES = { 2: passOfTwo, 3: passOfThree, 4: passOfFour, 5: passOfFive };

function turnsOf(size) {
  const angle = (k) => (-2 * Math.PI * k) / size;
  return {
    cos: Float64Array.from({ length: size }, (_, k) => Math.cos(angle(k))),
    sin: Float64Array.from({ length: size }, (_, k) => Math.sin(angle(k))),
  };
}

function factorsOf(size) {
  const factors = [];
  for (const factor of [4, 2, 3, 5]) {
    for (; size % factor === 0; size /= factor) factors.push(factor);
  }
  if (size > 1) throw new Error(`Fourier: a prime factor above 5 is left: ${size}`);
  return factors;
}

/** The least number from `n` on that has no prime factor above 5. */
export function fastLength(n) {
  for (let size = n; ; size++) {
    let rest = size;
    for (const prime of [2, 3, 5]) while (rest % prime === 0) rest /= prime;
    if (rest === 1) return size;
  }
}
