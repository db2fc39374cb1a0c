/**
 * The network that hears onsets: a frame in, two probabilities out.
 * The twin of sknote/audio/segmentation/_network.py.
 */
import { N_HIGH, N_LOW } from "./frames.js";

export class OnsetNetwork {
  /** @param tensors what safetensors.js reads of weights.safetensors */
  constructor(tensors) {
    this.delay = tensors.delay.data[0]; // frames by which probabilities lag behind
    this.low = convolutions(tensors, "low", N_LOW);
    this.high = convolutions(tensors, "high", N_HIGH);
    this.join = layer(tensors, "joined.weight", "joined.bias");
    this.output = layer(tensors, "output.weight", "output.bias");
    this.recurrent = new GatedUnit(tensors);
  }

  /** Take a frame; return the probabilities of an onset and of sound. */
  push(frame) {
    let low = frame.subarray(0, N_LOW);
    let high = frame.subarray(N_LOW);
    for (const convolution of this.low) low = convolution.push(low);
    for (const convolution of this.high) high = convolution.push(high);
    const both = new Float32Array(low.length + high.length);
    both.set(low);
    both.set(high, low.length);
    const values = this.join(both);
    for (let i = 0; i < values.length; i++) values[i] = Math.max(values[i], 0);
    return this.output(this.recurrent.push(values)).map(sigmoid);
  }
}

/** A convolution over frequency (stride 2) and over this frame and the last ones. */
class Convolution {
  constructor({ shape, data }, bias, nBands) {
    [this.nOutputs, this.nInputs, this.nFrames, this.width] = shape;
    const { nOutputs, nInputs, nFrames, width } = this;
    this.pad = width >> 1;
    this.bias = bias.data;
    this.kept = Array.from(
      { length: nFrames },
      () => new Float32Array((nBands + 2 * this.pad) * nInputs),
    );
    this.nBands = Math.floor((nBands + 2 * this.pad - width) / 2) + 1;
    // by frame, place, input and output
    this.weight = new Float32Array(data.length);
    for (let o = 0; o < nOutputs; o++) {
      for (let i = 0; i < nInputs; i++) {
        for (let f = 0; f < nFrames; f++) {
          for (let w = 0; w < width; w++) {
            const from = ((o * nInputs + i) * nFrames + f) * width + w;
            this.weight[((f * width + w) * nInputs + i) * nOutputs + o] = data[from];
          }
        }
      }
    }
  }

  push(frame) {
    const { kept, nOutputs, nInputs, width, weight } = this;
    const newest = kept.shift();
    newest.set(frame, this.pad * nInputs);
    kept.push(newest);
    const result = new Float32Array(this.nBands * nOutputs);
    const sums = new Float64Array(nOutputs);
    for (let band = 0; band < this.nBands; band++) {
      sums.set(this.bias);
      let row = 0;
      for (const values of kept) {
        const first = 2 * band * nInputs;
        for (let i = 0; i < width * nInputs; i++, row += nOutputs) {
          const value = values[first + i];
          if (value !== 0) for (let o = 0; o < nOutputs; o++) sums[o] += value * weight[row + o];
        }
      }
      for (let o = 0; o < nOutputs; o++) result[band * nOutputs + o] = Math.max(sums[o], 0);
    }
    return result;
  }
}

/** A gated recurrent unit (GRU). */
class GatedUnit {
  constructor(tensors) {
    this.input = layer(tensors, "recurrent.input", "recurrent.input_bias");
    this.own = layer(tensors, "recurrent.own", "recurrent.own_bias");
    this.state = new Float32Array(tensors["recurrent.own"].shape[0]);
  }

  push(values) {
    const { state } = this;
    const n = state.length;
    const fresh = this.input(values);
    const old = this.own(state);
    for (let i = 0; i < n; i++) {
      const reset = sigmoid(fresh[i] + old[i]);
      const keep = sigmoid(fresh[n + i] + old[n + i]);
      const candidate = Math.tanh(fresh[2 * n + i] + reset * old[2 * n + i]);
      state[i] = candidate + keep * (state[i] - candidate);
    }
    return state;
  }
}

function sigmoid(value) {
  return 0.5 * Math.tanh(0.5 * value) + 0.5;
}

/** A function that multiplies a vector by a matrix and adds a bias. */
function layer(tensors, matrix, bias) {
  const { data, shape } = tensors[matrix];
  const added = tensors[bias].data;
  return (values) => {
    const result = Float64Array.from(added);
    for (let i = 0; i < shape[0]; i++) {
      const value = values[i];
      if (value === 0) continue;
      for (let o = 0; o < shape[1]; o++) result[o] += value * data[i * shape[1] + o];
    }
    return result;
  };
}

function convolutions(tensors, name, nBands) {
  const layers = [];
  while (`${name}.${layers.length}.weight` in tensors) {
    const key = `${name}.${layers.length}`;
    layers.push(new Convolution(tensors[`${key}.weight`], tensors[`${key}.bias`], nBands));
    nBands = layers.at(-1).nBands;
  }
  return layers;
}
