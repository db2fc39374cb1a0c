/** The microphone, unchanged as far as the device lets it be. */
import { Problem } from "./lib/problem.js";

const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];
const CODES = {
  NotAllowedError: "micDenied",
  SecurityError: "micDenied",
  NotFoundError: "micMissing",
  OverconstrainedError: "micMissing",
};

/**
 * Open it. Returns the sample rate, a port that samples come out of, which processing could not be
 * switched off, and `close`. `onGone` is called when it is taken away, and `onPaused` when the
 * browser pauses it, with a function that goes on; `onResumed` when it goes on.
 */
export async function openMicrophone({ onGone, onPaused, onResumed }) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Problem("micInsecure");
  const off = Object.fromEntries(PROCESSING.map((name) => [name, false]));
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { ...off, channelCount: 1 } });
  } catch (error) {
    throw new Problem(CODES[error.name] ?? "micBusy", error.message);
  }
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  let isOpen = true;
  const onVisible = () => document.hidden || onResumed();
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    document.removeEventListener("visibilitychange", onVisible);
    track.stop();
    await context.close();
  };
  try {
    await context.audioWorklet.addModule("worklet.js");
  } catch (error) {
    await close();
    throw new Problem("tooOld", error.message);
  }
  const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  context.createMediaStreamSource(stream).connect(recorder);
  const { port1, port2 } = new MessageChannel();
  recorder.port.postMessage({ port: port1 }, [port1]);
  track.addEventListener("ended", () => isOpen && onGone());
  let wasPaused = false;
  const look = () => {
    if (!isOpen) return;
    if (context.state !== "running") onPaused(() => context.resume());
    else if (wasPaused) onResumed();
    wasPaused = context.state !== "running";
  };
  document.addEventListener("visibilitychange", onVisible);
  context.addEventListener("statechange", look);
  context.resume().then(look, look);
  setTimeout(look, 1000); // one that never began says nothing
  const settings = track.getSettings();
  const kept = PROCESSING.filter((name) => settings[name] === true);
  return { rate: context.sampleRate, port: port2, kept, close, context };
}
