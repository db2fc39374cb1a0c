"""Play passages to a NoteStream in pieces of 10 ms: its share of one core, and how late it is.

The clock is a reckoned one. A chunk arrives when a sound card would give it; it is begun when it is
there and the one before is done, and takes the processor's time that it takes. So the numbers are
those of a core of its own, whatever else the machine does. What shares the core can only add to the
time: each passage is played some times, to a new stream, and the quickest counts.
"""

import math
import sys
import tempfile
import time
import warnings

import numpy as np

from benchmarks import cli
from benchmarks.cli import positive
from benchmarks.datasets import synthesize
from benchmarks.environment import environment
from benchmarks.layout import measured_on, number, publish, table
from benchmarks.processes import threads_of
from benchmarks.results import plain
from benchmarks.splices import load_singles, splice_many
from sknote import make_note_pipeline
from sknote.datasets import make_passage
from sknote.deploy import NoteStream, OnnxNoteClassifier, export_onnx
from sknote.exceptions import DataNotFoundError

CHUNK = 0.01  # seconds
NEAR = 0.05  # seconds from an onset, within which it is found
RATES = (4, 8, 12)  # notes a second
LIMITS = {"real_time_factor": 0.05, "onset_p95_ms": 60.0, "verdict_p95_ms": 50.0}
FIT_NOTES = 300
SETTINGS = ("sample_rate", "per_rate", "singles", "synthetic", "hop", "repeats", "seed")
OPTIONS = {
    "--data-home": cli.DATA["--data-home"],
    "--sample-rate": (positive, 22050, "of the sound, in Hz"),
    "--per-rate": (positive, 1, "spliced passages of each instrument at each rate"),
    "--singles": (positive, 12, "real notes of each instrument to splice"),
    "--synthetic": (positive, 4, "synthetic passages, of 10 s"),
    "--repeats": (positive, 3, "times each passage is played, of which the quickest counts"),
    "--hop": (float, 0.5, "seconds from one provisional verdict to the next"),
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    parts, remarks = load_parts(args)
    with tempfile.TemporaryDirectory() as folder, threads_of(1):
        models = {}
        for name, model in make_models(args, folder).items():
            models[name] = {part: play_all(model, some, args) for part, some in parts.items()}
    result = {
        "kind": "live",
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "limits": LIMITS,
        "models": models,
        "warnings": remarks,
        "environment": environment(1, packages=["onnxruntime"]),
    }
    publish(plain(result), args.out / "live.json", sys.modules[__name__])
    for remark in remarks:
        print(f"Remark: {remark}")
    return 0


def load_parts(args):
    """Return passages by part: (waveform, onsets, instrument); and what is said of missing ones."""
    parts, remarks = {}, []
    how = {"seed": args.seed, "sample_rate": args.sample_rate}
    try:
        singles = load_singles(
            "test", data_home=args.data_home, max_per_instrument=args.singles, **how
        )
        for rate in RATES:
            made = splice_many(singles, (rate,), args.per_rate, **how)
            parts[f"{rate} notes a second"] = [
                (one.waveform, one.notes.onset.to_numpy(), one.instrument) for one in made
            ]
    except DataNotFoundError as error:
        remarks.append(f"nothing to splice: {error}")
    made = [
        make_passage(sample_rate=args.sample_rate, random_state=args.seed + i)
        for i in range(args.synthetic)
    ]
    parts["synthetic"] = [
        (one.waveform, one.notes.onset.to_numpy(), one.instrument) for one in made
    ]
    return parts, remarks


def make_models(args, folder):
    """Fit the default pipeline, for as long as its speed needs, and export it."""
    bunch = synthesize(FIT_NOTES, args.seed, args.cache_dir)
    pipeline = make_note_pipeline(classify__max_epochs=2, classify__random_state=args.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(bunch.data, bunch.target)
        path = export_onnx(pipeline, f"{folder}/notes.onnx")
    return {"pipeline": pipeline, "exported": OnnxNoteClassifier(path)}


def play_all(model, passages, args):
    """Play passages, each to a stream of its own; returns what is told of all of them."""
    played = []
    for waveform, onsets, instrument in passages:
        how = {"sample_rate": args.sample_rate, "hop": args.hop}
        times = [play(NoteStream(model, instrument, **how), waveform) for _ in range(args.repeats)]
        played.append(min(times, key=lambda one: one["used"]) | {"onsets": onsets})
    return summarize(played)


def play(stream, waveform, clock=time.process_time):
    """Play a waveform to a stream in chunks; returns events with times of the reckoned clock.

    Each event comes with the time at which its chunk arrived, and at which it was told.
    """
    card = _Card(waveform, stream.sample_rate, clock)
    events = [(event, card.arrived, card.now()) for event in stream.listen(card)]
    used, seconds = card.used + clock() - card.started, len(waveform) / stream.sample_rate
    return {"events": events, "seconds": seconds, "used": used}


class _Card:
    """Gives chunks as a sound card would, and reckons when each is begun."""

    def __init__(self, waveform, sample_rate, clock):
        self._waveform, self._rate, self._clock = waveform, sample_rate, clock
        self.used = self.arrived = self._begun = 0.0
        self.started = clock()

    def __iter__(self):
        size = CHUNK * self._rate
        for i in range(math.ceil(len(self._waveform) / size)):
            chunk = self._waveform[round(i * size) : round((i + 1) * size)]
            self._begin(min((i + 1) * size, len(self._waveform)) / self._rate)
            yield chunk
            self.used += self._clock() - self.started
        self._begin(self.arrived)

    def _begin(self, arrived):
        free = self.now()
        self.arrived, self._begun = arrived, max(arrived, free)
        self.started = self._clock()

    def now(self):
        """What the reckoned clock says."""
        return self._begun + self._clock() - self.started


def summarize(played):
    """Put the played passages of a part into numbers."""
    onset_delays, verdict_delays, end_delays, n_onsets, n_judged, n_revised = [], [], [], 0, 0, 0
    for one in played:
        began = [(event.onset, done) for event, _, done in one["events"] if event.kind == "began"]
        n_onsets += len(one["onsets"])
        for onset in one["onsets"]:
            near = [done - onset for when, done in began if abs(when - onset) <= NEAR]
            onset_delays += [min(near)] if near else []
        judged = [when for when in one["events"] if when[0].kind == "judged"]
        n_judged += len(judged)
        n_revised += sum(event.kind == "revised" for event, *_ in one["events"])
        verdict_delays += [done - arrived for _, arrived, done in judged]
        ended = [(event.offset, done) for event, _, done in judged if event.offset is not None]
        end_delays += [done - offset for offset, done in ended]
    seconds = sum(one["seconds"] for one in played)
    row = {
        "n_passages": len(played),
        "n_notes": n_onsets,
        "n_judged": n_judged,
        "n_revised": n_revised,
        "seconds": seconds,
        "real_time_factor": sum(one["used"] for one in played) / seconds,
        "found": len(onset_delays) / n_onsets if n_onsets else None,
    }
    kinds = {"onset": onset_delays, "verdict": verdict_delays, "end": end_delays}
    for name, delays in kinds.items():
        for what, share in (("median", 0.5), ("p95", 0.95), ("longest", 1.0)):
            value = 1000 * float(np.quantile(delays, share)) if delays else None
            row[f"{name}_{what}_ms"] = value
    return row


_COLUMNS = {
    "n_notes": ("notes", ",d"),
    "real_time_factor": ("real-time factor", ".3f"),
    "found": ("onsets found (%)", ".1%"),
    "onset_median_ms": ("onset (ms)", ".0f"),
    "onset_p95_ms": ("95 % within", ".0f"),
    "verdict_median_ms": ("verdict (ms)", ".1f"),
    "verdict_p95_ms": ("95 % within", ".1f"),
    "end_median_ms": ("after its end (ms)", ".0f"),
    "end_p95_ms": ("95 % within", ".0f"),
}


def live_table(result):
    """Return the header and one row per model and part."""
    rows = {
        f"{model}, {part}": row
        for model, parts in result["models"].items()
        for part, row in parts.items()
    }
    return table("model, passages", rows, _COLUMNS)


_AIMS = {
    "real_time_factor": "share of one core, classification included",
    "onset_p95_ms": "decision after an onset, 95 % within, in ms",
    "verdict_p95_ms": "verdict after a note's end is known, 95 % within, in ms",
}


def aim_table(result):
    """Return the header and one row per aim and model: the worst of all parts."""
    cells = [["aim", "model", "at most", "measured", "reached"]]
    for aim, text in _AIMS.items():
        for model, parts in result["models"].items():
            values = [row[aim] for row in parts.values() if row[aim] is not None]
            worst, limit = max(values, default=float("nan")), result["limits"][aim]
            cells.append(
                [text, model, f"{limit:g}", number(worst), "yes" if worst <= limit else "no"]
            )
    return cells


TABLES = {"scores": ("Live", live_table), "aims": ("Aims, the worst part", aim_table)}


def caption(result):
    """Return sentences about what was played, and how."""
    settings = result["settings"]
    parts = next(iter(result["models"].values()))
    seconds = sum(row["seconds"] for row in parts.values())
    return (
        f"{seconds:.0f} s of real notes, spliced, and of synthetic passages at "
        f"{settings['sample_rate']:,} Hz, in chunks of 10 ms; a provisional verdict every "
        f"{settings['hop']:g} s of a note. Time of the processor, one thread; each passage the "
        f"quickest of {settings['repeats']}. "
        f"{measured_on(result['environment'])}"
    )
