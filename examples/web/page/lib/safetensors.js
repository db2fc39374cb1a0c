/** The tensors of a safetensors file, of float32 and int64: {name: {shape, data}}. */
export function readTensors(buffer) {
  const view = new DataView(buffer);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const bytes = buffer.slice(8 + length + offsets[0], 8 + length + offsets[1]);
    const data =
      dtype === "I64" ? Array.from(new BigInt64Array(bytes), Number) : new Float32Array(bytes);
    tensors[name] = { shape, data };
  }
  return tensors;
}
