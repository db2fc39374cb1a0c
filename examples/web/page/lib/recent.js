/** The last samples of a stream, as many as there is room for. */
export class Recent {
  constructor(room) {
    this.ring = new Float32Array(room);
    this.end = 0; // samples since the stream began
  }

  write(samples) {
    const room = this.ring.length;
    const start = this.end % room;
    const first = Math.min(samples.length, room - start);
    this.ring.set(samples.subarray(0, first), start);
    this.ring.set(samples.subarray(first), 0);
    this.end += samples.length;
  }

  /** A copy of samples between two places of the stream that are still there. */
  read(start, stop) {
    const room = this.ring.length;
    stop = Math.min(stop, this.end);
    start = Math.max(start, this.end - room, 0);
    const samples = new Float32Array(Math.max(0, stop - start));
    for (let i = 0; i < samples.length; i++) samples[i] = this.ring[(start + i) % room];
    return samples;
  }
}
