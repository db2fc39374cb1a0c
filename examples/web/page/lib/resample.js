/**
 * Another sample rate for a whole note, as soxr's "HQ" quality makes it.
 *
 * Where one rate is a power of two times the other, soxr filters once. Else it filters, at a rate
 * between two and four times the lower one, and then finds the values between the filtered ones.
 */
import { BY_ANY, BY_TWO } from "./filters.js";

const GIVEN = 4; // values of a filter a sample of the lower rate
const FINER = 256; // values of its table for each of those
const REACH = 16; // values on each side by which those between two are found

const MOST_KEPT = 1000; // filters of two rates, of some hundred values each
const CLOSE = 1e-9; // of a sample: what lies so little before one is at it

const tables = new Map();
const filters = new Map(); // of two rates: filters by the place between two samples

export function resample(samples, inputRate, outputRate) {
  if (inputRate === outputRate || samples.length === 0) return samples;
  const ratio = inputRate / outputRate;
  const isOneStep = Number.isInteger(Math.log2(ratio));
  const table = tableOf(isOneStep ? BY_TWO : BY_ANY);
  const lower = Math.min(1, 1 / ratio); // the lower rate by the input's
  const result = new Float32Array(Math.round(samples.length / ratio));
  const filterOf = filtersOf(inputRate, outputRate, table, lower);
  for (let k = 0; k < result.length; k++) {
    result[k] = lower * weighed(samples, filterOf(k), Math.floor(k * ratio + CLOSE));
  }
  if (!isOneStep) takeWhatIsBefore(result, samples, ratio, lower);
  return result;
}

/**
 * The filter by the number of a value. Usual rates have few places between two samples at which
 * values are wanted, and these come again and again: the filter at each is found once.
 */
function filtersOf(inputRate, outputRate, table, lower) {
  const isWhole = Number.isInteger(inputRate) && Number.isInteger(outputRate);
  if (!isWhole || outputRate / commonDivisor(inputRate, outputRate) > MOST_KEPT) {
    const ratio = inputRate / outputRate;
    return (k) => filterAt(k * ratio - Math.floor(k * ratio + CLOSE), table, lower);
  }
  const name = `${inputRate} ${outputRate}`;
  if (!filters.has(name)) filters.set(name, new Map());
  const known = filters.get(name);
  return (k) => {
    const part = (k * inputRate) % outputRate;
    let found = known.get(part);
    if (found === undefined) {
      found = filterAt(part / outputRate, table, lower);
      known.set(part, found);
    }
    return found;
  };
}

function commonDivisor(a, b) {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** Weights of the samples about a place, `first` of them relative to the one before it. */
function filterAt(place, table, lower) {
  const step = lower * GIVEN * FINER; // values of the table a sample
  const reach = (table.length - 2) / step;
  const first = Math.ceil(place - reach);
  const weights = new Float64Array(Math.floor(place + reach) - first + 1);
  for (let i = 0; i < weights.length; i++) {
    const at = Math.abs(first + i - place) * step;
    const whole = at | 0;
    weights[i] = table[whole] + (at - whole) * (table[whole + 1] - table[whole]);
  }
  return { first, weights };
}

function weighed(samples, { first, weights }, middle) {
  const start = middle + first;
  const stop = Math.min(weights.length, samples.length - start);
  let i = Math.max(0, -start);
  let a = 0; // a processor adds several at a time
  let b = 0;
  let c = 0;
  let d = 0;
  for (; i + 3 < stop; i += 4) {
    a += samples[start + i] * weights[i];
    b += samples[start + i + 1] * weights[i + 1];
    c += samples[start + i + 2] * weights[i + 2];
    d += samples[start + i + 3] * weights[i + 3];
  }
  for (; i < stop; i++) a += samples[start + i] * weights[i];
  return a + b + c + d;
}

/**
 * Take away what rings before the first sample: soxr does not keep that of its first step, so that
 * the second does not see it. The second step's filter was found by its answers.
 */
function takeWhatIsBefore(result, samples, ratio, lower) {
  let between = 1 / lower; // rate of the first step's samples by the lower rate
  while (between < 2) between *= 2;
  while (between >= 4) between /= 2;
  const pass = 1.82 + 0.88 * (between - 2);
  const half = 3.6 - 2.1 * (between - 2);
  const second = (time) => kaiserSinc(time, pass, half, 13);
  const table = tableOf(BY_TWO);
  const before = Array.from({ length: Math.ceil(half * between) }, (_, j) => {
    return lower * weighed(samples, filterAt(-(j + 1) / between / lower, table, lower), 0);
  });
  const nOutputs = Math.min(result.length, Math.ceil(half / ratio / lower));
  for (let k = 0; k < nOutputs; k++) {
    before.forEach((value, j) => {
      result[k] -= (value * second(k * ratio * lower + (j + 1) / between)) / between;
    });
  }
}

/** A filter with values between those that are given. */
function tableOf(filter) {
  if (tables.has(filter)) return tables.get(filter);
  const table = new Float64Array(filter.length * FINER + 1);
  for (let fine = 0; fine < FINER; fine++) {
    const weights = [];
    for (let j = 1 - REACH; j <= REACH; j++) {
      weights.push(kaiserSinc(j - fine / FINER, 1, REACH, 9));
    }
    for (let i = 0; i < filter.length; i++) {
      let sum = 0;
      weights.forEach((weight, j) => {
        sum += weight * (filter[Math.abs(i + 1 - REACH + j)] ?? 0);
      });
      table[i * FINER + fine] = sum;
    }
  }
  tables.set(filter, table);
  return table;
}

/** A sinc within a Kaiser window. */
function kaiserSinc(time, pass, half, beta) {
  if (Math.abs(time) >= half) return 0;
  const angle = Math.PI * pass * time;
  const sinc = time === 0 ? 1 : Math.sin(angle) / angle;
  return (pass * sinc * bessel(beta * Math.sqrt(1 - (time / half) ** 2))) / bessel(beta);
}

/** The modified Bessel function of order 0. */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-16; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
