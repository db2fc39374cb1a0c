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

const tables = new Map();

export function resample(samples, inputRate, outputRate) {
  if (inputRate === outputRate || samples.length === 0) return samples;
  const ratio = inputRate / outputRate;
  const isOneStep = Number.isInteger(Math.log2(ratio));
  const table = tableOf(isOneStep ? BY_TWO : BY_ANY);
  const lower = Math.min(1, 1 / ratio); // the lower rate by the input's
  const result = new Float32Array(Math.round(samples.length / ratio));
  for (let k = 0; k < result.length; k++) {
    result[k] = lower * filtered(samples, table, k * ratio, lower);
  }
  if (!isOneStep) takeWhatIsBefore(result, samples, ratio, lower);
  return result;
}

/** The sum of samples about a place, each weighed by a filter. */
function filtered(samples, table, place, lower) {
  const step = lower * GIVEN * FINER; // values of the table a sample
  const reach = (table.length - 2) / step;
  const first = Math.max(0, Math.ceil(place - reach));
  const last = Math.min(samples.length - 1, Math.floor(place + reach));
  let sum = 0;
  for (let i = first; i <= last; i++) {
    const at = Math.abs(i - place) * step;
    const whole = at | 0;
    const low = table[whole];
    sum += samples[i] * (low + (at - whole) * (table[whole + 1] - low));
  }
  return sum;
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
    return lower * filtered(samples, table, -(j + 1) / between / lower, lower);
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
