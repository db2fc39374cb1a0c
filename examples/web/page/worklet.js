/** Hands the microphone's samples on, in pieces of about 20 ms, to the worker behind a port. */
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(1024);
    this.filled = 0;
    this.to = null;
    this.port.onmessage = ({ data }) => (this.to = data.port);
  }

  process([channels]) {
    const size = channels[0]?.length ?? 0;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.piece[this.filled++] = sum / channels.length;
      if (this.filled === this.piece.length) this._send();
    }
    return true;
  }

  _send() {
    this.filled = 0;
    if (!this.to) return;
    const samples = this.piece.slice();
    this.to.postMessage({ samples, from: currentFrame }, [samples.buffer]);
  }
}

registerProcessor("recorder", Recorder);
