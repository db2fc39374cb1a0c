/** What Python said, and the files that it said it of. */
import fs from "node:fs";

const folder = new URL(`file://${process.env.SKNOTE_VECTORS ?? `${import.meta.dirname}/vectors`}/`);

export const read = (name) => fs.readFileSync(new URL(name, folder));
export const told = JSON.parse(read("vectors.json"));

export function floats(name) {
  const bytes = read(name);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Cut samples into chunks of sizes that a seed gives. */
export function* chunks(samples, seed, largest = 3000) {
  let state = seed;
  for (let at = 0; at < samples.length; ) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    const size = seed === 0 ? samples.length : (state % largest) + 1;
    yield samples.subarray(at, at + size);
    at += size;
  }
}
