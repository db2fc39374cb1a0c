"""Cut passages into notes, and compare with the true ones: real solos, spliced and synthetic."""

import functools
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import cli
from benchmarks.cli import BenchmarkError, available_threads, meant, names, positive
from benchmarks.environment import environment
from benchmarks.held_notes import held_table, load_held, measure_cuts
from benchmarks.layout import COLOURS, measured_on, new_figure, publish, table
from benchmarks.passage_scores import Passage, delays, score_all, timed
from benchmarks.results import plain
from benchmarks.segmenters import SEGMENTERS, available
from benchmarks.splices import load_singles, splice_many
from sknote import AudioLoader
from sknote.datasets import make_passage
from sknote.exceptions import DataNotFoundError

RATES = (4, 6, 8, 10, 12)  # notes a second
SOLOS, SYNTHETIC = "solos", "synthetic"
PARTS = (SOLOS, *(f"{rate} notes a second" for rate in RATES), SYNTHETIC)
CAUSAL = "sknote"
OPTIONS = {
    "--segmenters": (names, ",".join(SEGMENTERS), "with commas; those that are not there are left"),
    "--data-home": cli.DATA["--data-home"],
    "--sample-rate": (positive, 22050, "of all passages, in Hz"),
    "--per-rate": (positive, 2, "spliced passages of each instrument at each rate"),
    "--singles": (positive, 100, "real notes of each instrument to splice, of those kept for it"),
    "--synthetic": (positive, 40, "synthetic passages, of 10 s"),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    unknown = [name for name in args.segmenters if name not in SEGMENTERS]
    if unknown:
        raise BenchmarkError(f"no segmenter is {unknown[0]!r}: {meant(unknown[0], SEGMENTERS)}")
    installed = available()
    chosen = {name: installed[name] for name in args.segmenters if name in installed}
    parts, remarks = load_parts(args)
    systems = {name: measure(segment, parts) for name, segment in chosen.items()}
    held = load_held(args)
    for name, segment in chosen.items():
        systems[name]["held"] = measure_cuts(segment, held)
    if CAUSAL in systems:
        systems[CAUSAL]["delay"] = measure_delay(parts)
    taken = ("sample_rate", "per_rate", "singles", "synthetic", "seed")
    result = {
        "kind": "passages",
        "settings": {name: getattr(args, name) for name in taken},
        "parts": {name: describe(passages) for name, passages in parts.items()},
        "segmenters": systems,
        "warnings": remarks,
        "environment": environment(available_threads(), ("mir_eval", "librosa")),
    }
    publish(plain(result), args.out / "passages.json", sys.modules[__name__])
    for remark in remarks:
        print(f"Remark: {remark}")
    return 0


def load_parts(args):
    """Return the passages of each part, and what is said of those that are not there."""
    parts, remarks = {}, []
    try:
        parts[SOLOS] = load_solos(args.data_home, args.sample_rate)
    except DataNotFoundError as error:
        remarks.append(f"no solos: {error}")
    try:
        how = {"data_home": args.data_home, "sample_rate": args.sample_rate, "seed": args.seed}
        singles = load_singles("test", max_per_instrument=args.singles, **how)
        how = {"seed": args.seed, "sample_rate": args.sample_rate}
        for rate, part in zip(RATES, PARTS[1:]):
            made = splice_many(singles, (rate,), args.per_rate, **how)
            parts[part] = [
                Passage(f"{one.instrument} {i}", one.waveform, one.sample_rate, bounds(one.notes))
                for i, one in enumerate(made)
            ]
    except DataNotFoundError as error:
        remarks.append(f"nothing to splice: {error}")
    parts[SYNTHETIC] = []
    for i in range(args.synthetic):
        made = make_passage(sample_rate=args.sample_rate, random_state=args.seed + i)
        about = f"{made.instrument}, {made.manner}, {args.seed + i}"
        parts[SYNTHETIC].append(Passage(about, made.waveform, made.sample_rate, bounds(made.notes)))
    return parts, remarks


def load_solos(data_home, sample_rate):
    """Read recordings of solos: ``passages/NAME.flac``, with ``NAME.csv`` (onset, offset)."""
    folder = data_folder(data_home) / "passages"
    paths = [path.with_suffix(".flac") for path in sorted(folder.glob("*.csv"))]
    paths = [path for path in paths if path.exists()]
    if not paths:
        raise DataNotFoundError(f"found no recordings with tables in {folder}. Pass --data-home.")
    waveforms = AudioLoader(sample_rate=sample_rate).fit_transform([str(path) for path in paths])
    return [
        Passage(path.stem, waveform, sample_rate, bounds(pd.read_csv(path.with_suffix(".csv"))))
        for path, waveform in zip(paths, waveforms)
    ]


def data_folder(data_home):
    """Folder of the recordings, as the loaders of sknote find it."""
    return Path(data_home or os.environ.get("SKNOTE_DATA") or "~/sknote_data").expanduser()


def bounds(notes):
    """Onset and offset of the notes of a table."""
    return notes[["onset", "offset"]].to_numpy(dtype=float)


def describe(passages):
    """Count what a part is made of."""
    return {
        "n_passages": len(passages),
        "n_notes": int(sum(len(passage.notes) for passage in passages)),
        "seconds": sum(passage.seconds for passage in passages),
    }


def measure(segment, parts):
    """Return the scores of each part and of each solo, and the CPU seconds a second of sound."""
    segment(np.zeros(2205, np.float32), 22050)  # what is done once is not timed
    scores, solos, times = {}, {}, []
    for part, passages in parts.items():
        found, factor = timed(segment, passages)
        rows = score_all(passages, found)
        scores[part] = rows["all"]
        own = [row["f_50"] for name, row in rows.items() if name != "all" and row["n_notes"]]
        scores[part]["lowest_f_50"] = min(own)
        times.append((factor, sum(passage.seconds for passage in passages)))
        if part == SOLOS:
            solos = rows
    factors, weights = np.array(times).T
    return {
        "scores": scores,
        "solos": solos,
        "real_time_factor": float(np.average(factors, weights=weights)),
    }


def measure_delay(parts, per_part=12):
    """Return how long after an onset sknote knows of it, live: on solos and some of each part."""
    from sknote.audio import NoteSegmenter

    late = {}
    for part, passages in parts.items():
        some, waits = delays(NoteSegmenter, passages[:per_part])
        known = some[~np.isnan(some)]
        late[part] = {
            "known": len(known) / max(len(some), 1),
            "median_ms": _quantile_ms(known, 0.5),
            "p95_ms": _quantile_ms(known, 0.95),
            "end_median_ms": _quantile_ms(waits, 0.5),
            "end_p95_ms": _quantile_ms(waits, 0.95),
        }
    return {"parts": late, "look_ahead_ms": 1000 * NoteSegmenter(22050).look_ahead}


def _quantile_ms(seconds, share):
    return float(1000 * np.quantile(seconds, share)) if len(seconds) else None


_COLUMNS = {
    "f_50": ("F, 50 ms", ".3f"),
    "f_25": ("F, 25 ms", ".3f"),
    "precision_50": ("precision", ".3f"),
    "recall_50": ("recall", ".3f"),
    "f_notes": ("F, onset and offset", ".3f"),
    "lowest_f_50": ("lowest F, 50 ms", ".3f"),
    "real_time_factor": ("CPU, share of real time", ".4f"),
}


def part_table(result, part):
    """Return the header and one row per segmenter, of all passages of a part."""
    rows = {
        name: entry["scores"][part] | {"real_time_factor": entry["real_time_factor"]}
        for name, entry in result["segmenters"].items()
        if part in entry["scores"]
    }
    return table("segmenter", rows, _COLUMNS) if rows else [["segmenter"]]


def rate_table(result, score="f_50"):
    """Return the header and one row per part, a column per segmenter."""
    segmenters = result["segmenters"]
    rows = {
        part: {name: entry["scores"][part][score] for name, entry in segmenters.items()}
        for part in result["parts"]
    }
    return table("passages", rows, {name: (name, ".3f") for name in segmenters})


def solo_table(result):
    """Return the header and one row per solo: F at 50 ms of each segmenter."""
    segmenters = {name: entry["solos"] for name, entry in result["segmenters"].items()}
    solos = next(iter(segmenters.values()), {})
    rows = {solo: {name: own[solo]["f_50"] for name, own in segmenters.items()} for solo in solos}
    return table("solo", rows, {name: (name, ".3f") for name in segmenters})


def delay_table(result):
    """Return the header and one row per part: how long after an onset, or an end, it is known."""
    columns = {"known": ("known (%)", ".1%"), "median_ms": ("median (ms)", ".0f")}
    columns["p95_ms"] = ("95 % within (ms)", ".0f")
    columns["end_median_ms"] = ("after its end: median (ms)", ".0f")
    columns["end_p95_ms"] = ("95 % within (ms)", ".0f")
    rows = result["segmenters"].get(CAUSAL, {}).get("delay", {}).get("parts", {})
    return table("passages", rows, columns)


TABLES = {
    "scores": ("Solos", functools.partial(part_table, part=SOLOS)),
    "rates": ("F at 50 ms", rate_table),
    "rates_25": ("F at 25 ms", functools.partial(rate_table, score="f_25")),
    "notes": ("F of onset and offset", functools.partial(rate_table, score="f_notes")),
    "solos": ("Each solo, F at 50 ms", solo_table),
    "delay": ("Delay of the decision, live", delay_table),
    "held": ("Held notes that are cut", held_table),
}


def caption(result):
    """Return sentences about the passages and the scores."""
    parts = result["parts"]
    solos = parts.get(SOLOS, {"n_passages": 0, "n_notes": 0})
    spliced = sum(part["n_notes"] for name, part in parts.items() if name in PARTS[1:-1])
    text = (
        f"{solos['n_passages']} labelled solos with {solos['n_notes']} notes; {spliced:,} real "
        f"single notes, spliced; {parts[SYNTHETIC]['n_passages']} synthetic passages with "
        f"{parts[SYNTHETIC]['n_notes']:,} notes. F-measures of mir_eval, all passages of a part "
        "as one: onsets within 50 or 25 ms, and notes by its rule (onset within 50 ms, offset "
        "within 50 ms or 20 %; without the pitch)."
    )
    delay = result["segmenters"].get(CAUSAL, {}).get("delay")
    if delay:
        text += (
            f" sknote returns a note {delay['look_ahead_ms']:.0f} ms after its end, at the latest."
        )
    return f"{text} {measured_on(result['environment'])}"


def draw(result, path):
    """Draw F at 50 ms over the notes a second on the left, and of each solo on the right."""
    figure, (left, right) = new_figure(10.5, 4.4)
    shown = [(part, rate) for part, rate in zip(PARTS[1:], RATES) if part in result["parts"]]
    segmenters = result["segmenters"]
    width = 0.8 / max(len(segmenters), 1)
    for i, (name, entry) in enumerate(segmenters.items()):
        colour = COLOURS[i % len(COLOURS)]
        values = [entry["scores"][part]["f_50"] for part, _ in shown]
        left.plot([rate for _, rate in shown], values, "o-", color=colour, label=name)
        heights = [row["f_50"] or 0 for row in entry["solos"].values()]
        places = np.arange(len(heights)) + i * width
        right.bar(places, heights, width, color=colour)
        right.set_xticks(
            np.arange(len(heights)) + 0.4, list(entry["solos"]), rotation=20, ha="right"
        )
    left.set(xlabel="real notes a second", ylabel="F, onsets within 50 ms", ylim=(0, 1.02))
    right.set(ylim=(0, 1.02), title="labelled solos")
    left.grid(alpha=0.3)
    left.legend()
    figure.savefig(path)
