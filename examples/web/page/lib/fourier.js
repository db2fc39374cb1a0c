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
      const pass = factor === 4 ? passOfFour : passOfAny;
      pass(this, factor, stride, re, im, nextRe, nextIm);
      [re, nextRe, im, nextIm] = [nextRe, re, nextIm, im];
      stride *= factor;
    }
    return [re, im];
  }
}

function passOfFour({ size, turns: { cos, sin } }, _, stride, re, im, outRe, outIm) {
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

function passOfAny({ size, turns: { cos, sin } }, factor, stride, re, im, outRe, outIm) {
  const part = size / stride / factor;
  for (let p = 0; p < part; p++) {
    for (let j = 0; j < factor; j++) {
      const outer = p * j * stride;
      const to = stride * (factor * p + j);
      for (let q = 0; q < stride; q++) {
        let sumRe = 0;
        let sumIm = 0;
        for (let r = 0; r < factor; r++) {
          const from = q + stride * (p + part * r);
          const turn = ((j * r) % factor) * (size / factor);
          sumRe += re[from] * cos[turn] - im[from] * sin[turn];
          sumIm += re[from] * sin[turn] + im[from] * cos[turn];
        }
        write(outRe, outIm, to + q, sumRe, sumIm, cos[outer], sin[outer]);
      }
    }
  }
}

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
