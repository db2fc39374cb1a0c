"""Train the network of `sknote.audio.NoteSegmenter`, and put its weights into the package."""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional

import sknote
from benchmarks.cli import positive, seed
from benchmarks.onset_network import LOWEST, N_PITCHES, OnsetNet, as_arrays
from benchmarks.onset_passages import held_passages, spliced_passages, synthetic_passages
from benchmarks.onset_players import draw_fast_manner
from sknote.audio.segmentation import HOP, band_levels, band_octaves, relative_levels

WEIGHTS = Path(sknote.__file__).parent / "audio" / "segmentation" / "weights.safetensors"
DELAY = 3  # frames after an onset, or an end, in which it is told
N_FRAMES = 300  # of a piece of a passage
BATCH = 24
LR = 2e-3
MORE_EPOCHS, MORE_LR = 6, 1e-3  # with held notes and fast runs among the passages
# What counts for how much: the onset, sound, pitch; an onset counts twice as much as none.
SOUND, PITCH, ONSET = 0.3, 0.2, 2.0

OPTIONS = {
    "--data-home": (str, None, "folder of recordings (default: $SKNOTE_DATA, else ~/sknote_data)"),
    "--passages": (positive, 8000, "to begin with: half synthetic, half of real notes"),
    "--epochs": (positive, 14, "of training with them"),
    "--seed": (seed, 0, "of passages, weights and batches"),
    "--weights": (Path, WEIGHTS, "file that is written"),
}


def main(args):
    """Make passages, describe them, train, and once more with others; some two hours of a core."""
    half, n_more = args.passages // 2, args.passages // 4
    passages = [
        *describe(synthetic_passages(half, [args.seed, 0])),
        *describe(spliced_passages(args.passages - half, [args.seed, 1], args.data_home)),
    ]
    print(f"{len(passages)} passages", flush=True)
    net = train(passages, args.epochs, args.seed)
    fast = spliced_passages(n_more, [args.seed, 3], args.data_home, draw_fast_manner)
    passages += describe(held_passages(n_more, [args.seed, 2], args.data_home))
    passages += describe(fast)
    print(f"{len(passages)} passages", flush=True)
    net = train(passages, MORE_EPOCHS, args.seed + 1, net, MORE_LR)
    save_file(as_arrays(net, DELAY), args.weights)
    print(f"{args.weights}: {args.weights.stat().st_size / 1000:.0f} kB")
    return 0


def describe(passages):
    """Make of each passage its frames and, for each of them, what should be said."""
    for waveform, sample_rate, notes in passages:
        levels = relative_levels(band_levels(waveform, sample_rate))
        yield levels.astype(np.float16), *wanted(notes, len(levels))


def wanted(notes, n_frames):
    """Onset (1, and less beside it), sound, and pitch (-1: none) at each frame."""
    onsets = np.zeros(n_frames, np.float32)
    sounds = np.zeros(n_frames, np.float32)
    pitches = np.full(n_frames, -1)
    for onset, offset, midi in notes:
        at = onset / HOP - 1 + DELAY
        for i in range(max(0, round(at) - 2), min(n_frames, round(at) + 3)):
            onsets[i] = max(onsets[i], np.interp(abs(i - at), [0.5, 1.5, 2], [1, 0.5, 0]))
        held = slice(max(0, round(at)), max(0, round(offset / HOP - 1 + DELAY)))
        sounds[held] = 1
        if 0 <= round(midi) - LOWEST < N_PITCHES:
            pitches[held] = round(midi) - LOWEST
    return onsets, sounds, pitches


def train(passages, n_epochs, seed, net=None, lr=LR):
    """Train a network, a new one if there is none, batch by batch of pieces of 3 s."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = OnsetNet() if net is None else net
    pieces = [
        (i, start)
        for i, (levels, *_) in enumerate(passages)
        for start in range(0, max(1, len(levels) - N_FRAMES // 2), N_FRAMES)
    ]
    size = min(BATCH, len(pieces))
    n_steps = n_epochs * (len(pieces) // size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=n_steps + 1, pct_start=0.15
    )
    for epoch in range(n_epochs):
        rng.shuffle(pieces)
        losses = []
        for first in range(0, len(pieces) - size + 1, size):
            batch = batch_of(passages, pieces[first : first + size], rng)
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(net, *batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: {np.mean(losses):.4f}", flush=True)
    return net


def batch_of(passages, pieces, rng):
    """Put pieces together, each heard through another microphone."""
    n_bands = passages[0][0].shape[1]
    levels = np.zeros((len(pieces), N_FRAMES, n_bands), np.float32)
    onsets, sounds, weights = np.zeros((3, len(pieces), N_FRAMES), np.float32)
    pitches = np.full((len(pieces), N_FRAMES), -1)
    for row, (i, start) in enumerate(pieces):
        frames, *targets = passages[i]
        start = max(0, min(start + int(rng.integers(-60, 60)), len(frames) - N_FRAMES))
        piece = frames[start : start + N_FRAMES].astype(np.float32)
        n = len(piece)
        levels[row, :n] = np.clip(piece + (piece > 0) * _microphone(rng), 0, 1.3)
        for all_, target in zip((onsets, sounds, pitches), targets, strict=True):
            all_[row, :n] = target[start : start + N_FRAMES]
        weights[row, 10 if start else 0 : n] = 1  # what began before is not known
    return [torch.from_numpy(one) for one in (levels, onsets, sounds, pitches, weights)]


def _microphone(rng):
    """Draw a smooth curve over frequency, in units of the levels (70 dB)."""
    octaves = band_octaves()
    curve = np.interp(octaves, np.linspace(0, octaves.max(), 6), rng.normal(0, 4 / 70, 6))
    return curve + rng.normal(0, 2 / 70)


def loss_of(net, levels, onsets, sounds, pitches, weights):
    logits, of_pitch = net(levels)
    onset, sound = (
        functional.binary_cross_entropy_with_logits(logits[..., i], target, reduction="none")
        for i, target in enumerate((onsets, sounds))
    )
    onset = onset * (1 + (ONSET - 1) * (onsets > 0))
    pitch = functional.cross_entropy(of_pitch.flatten(0, 1), pitches.flatten(), ignore_index=-1)
    return ((onset + SOUND * sound) * weights).sum() / weights.sum() + PITCH * pitch
