"""Held notes: how many are cut into several, real ones alone and synthetic ones in passages."""

import numpy as np

from benchmarks.passage_scores import Passage, timed
from benchmarks.splices import load_singles
from sknote.datasets import make_passage
from sknote.exceptions import DataNotFoundError

INSIDE = 0.06  # seconds from both ends of a note, within which others begin and end
SECONDS = 6.0  # of a real note, at most
SILENCE = 0.3  # seconds before it
KINDS = {
    ("real", "plain"): "real, plain",
    ("real", "trill"): "real, with a trill",
    ("real", "ornamented"): "real, with a tremolo, fluttertonguing or vibrato",
    ("synthetic", "none"): "synthetic, plain",
    ("synthetic", "vibrato"): "synthetic, with vibrato",
    ("synthetic", "trill"): "synthetic, with a trill",
}


def load_held(args):
    """Return passages, and the kind of each of their notes."""
    return [*_real(args), *_synthetic(args)]


def _real(args):
    """Yield single notes of files that nobody learned from, and what is heard behind them."""
    how = {"kept": SECONDS, "tail": 0.3, "swells": True, "max_per_instrument": args.singles}
    try:
        singles = load_singles(
            "test", data_home=args.data_home, sample_rate=args.sample_rate, seed=args.seed, **how
        )
    except DataNotFoundError:
        return
    silence = np.zeros(round(SILENCE * args.sample_rate), np.float32)
    for one in singles:
        waveform = np.concatenate([silence, one.waveform])
        onset = SILENCE + one.lead / args.sample_rate
        # nothing begins behind it either
        ends = [[onset, len(waveform) / args.sample_rate + INSIDE]]
        ornament = "trill" if "trill" in one.name else "ornamented"
        kind = "real", ornament if one.ornamented else "plain"
        yield Passage(one.name, waveform, args.sample_rate, np.array(ends)), [kind]


def _synthetic(args):
    """Yield slow passages, in which there are many ornaments."""
    for seed in range(args.seed, args.seed + args.synthetic):
        how = {"sample_rate": args.sample_rate, "random_state": seed}
        made = make_passage(ornaments=0.6, notes_per_second=(1.5, 5.0), **how)
        notes = made.notes[["onset", "offset"]].to_numpy(float)
        passage = Passage(f"slow {seed}", made.waveform, made.sample_rate, notes)
        yield passage, [("synthetic", ornament) for ornament in made.notes.ornament]


def measure_cuts(segment, held):
    """Segment passages; returns how many notes there are of each kind, and how many are cut."""
    passages, kinds = zip(*held)
    return count_cuts(passages, timed(segment, passages)[0], kinds)


def count_cuts(passages, found, kinds):
    """Count the notes of each kind, and those that were cut: in which another one begins."""
    counts = {}
    for passage, notes, own in zip(passages, found, kinds):
        onsets = np.asarray(notes, dtype=float).reshape(-1, 2)[:, 0]
        for (start, end), kind in zip(passage.notes, own):
            is_cut = ((onsets > start + INSIDE) & (onsets < end - INSIDE)).any()
            row = counts.setdefault(KINDS[kind], {"n_notes": 0, "n_cut": 0})
            row["n_notes"] += 1
            row["n_cut"] += int(is_cut)
    return counts


def held_table(result):
    """Return the header and one row per kind of note: how many are cut by each segmenter."""
    counts = {name: entry["held"] for name, entry in result["segmenters"].items()}
    cells = [["held notes", "notes", *(f"cut by {name}" for name in counts)]]
    for kind in KINDS.values():
        own = [count[kind] for count in counts.values() if kind in count]
        if own:
            shares = (f"{one['n_cut'] / one['n_notes']:.1%}" for one in own)
            cells.append([kind, str(own[0]["n_notes"]), *shares])
    return cells
