"""Measure the page for players in Chromium: its size, how fast it answers, what it hears."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import cli
from benchmarks.cli import BenchmarkError, positive
from benchmarks.environment import environment
from benchmarks.layout import measured_on, number, publish
from benchmarks.results import plain
from sknote.audio import read_audio, segment_notes

HERE = Path(__file__).parents[1] / "examples" / "web"
RATE = 48000  # of fake microphones
REST = 1.0  # seconds before a passage, so that the page listens when it begins
# A microphone begins anywhere within the 10 ms of the segmenter's frames.
PHASES = np.arange(0, 0.01, 0.001)
LIMITS = {
    "megabytes": 20,
    "first_answer_s": 3,
    "real_time_factor": 0.2,
    "answer_p95_ms": 150,
}
OPTIONS = {
    "--page": (Path, HERE / "dist", "folder of sknote export --web"),
    "--passages": (Path, None, "folder of recordings (default: passages/ in $SKNOTE_DATA)"),
    "--minutes": (positive, 30, "of playing, during which memory is looked at"),
    "--out": cli.SHARED["--out"],
}


def main(args):
    """Run the command; returns its exit status."""
    if not (args.page / "sw.js").is_file():
        raise BenchmarkError(f"there is no page in {str(args.page)!r}. Run 'make web' first.")
    if shutil.which("node") is None:
        raise BenchmarkError("the page is measured by node, which is not there.")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        expected = write_sounds(find_passages(args.passages), Path(folder) / "sounds")
        found = measure(args.page, Path(folder) / "sounds", args.minutes)
    sizes = [path.stat().st_size for path in args.page.rglob("*") if path.is_file()]
    result = {
        "kind": "web",
        "limits": LIMITS,
        "megabytes": sum(sizes) / 1e6,
        "cold": found["cold"],
        "passages": {
            name: compare(*expected[name], one) for name, one in found["passages"].items()
        },
        "firefox": in_firefox(expected, found.get("firefox", {})),
        "memory": found["memory"],
        "console_errors": found["errors"],
        "settings": {
            "minutes": args.minutes,
            "sample_rate": RATE,
            "browser": browser(),
            "load_before": load,
        },
        "environment": environment(1),
    }
    publish(plain(result), args.out / "web.json", sys.modules[__name__])
    return 0


def find_passages(folder):
    """Return the paths of the recordings that are played to the page."""
    folder = folder or Path(os.environ.get("SKNOTE_DATA", "")) / "passages"
    paths = sorted(path for path in folder.glob("*") if path.suffix in (".flac", ".wav"))
    if not paths:
        raise BenchmarkError(f"there are no recordings in {str(folder)!r}. Pass --passages.")
    return paths


def write_sounds(paths, folder):
    """Write recordings as WAV at the microphone's rate, and for it with a rest before them.

    Returns the notes that Python hears in the first, and in the second from each of `PHASES` on.
    """
    (folder / "played").mkdir(parents=True)
    expected = {}
    for path in paths:
        waveform, error, _ = read_audio(str(path), sample_rate=RATE)
        if error is not None:
            raise error
        played = np.concatenate([np.zeros(round(REST * RATE)), waveform])
        name = f"{path.stem}.wav"
        in_file = segment_notes(_written(waveform, folder / name), RATE)
        played = _written(played, folder / "played" / name)
        expected[path.stem] = (
            in_file,
            [segment_notes(played[round(phase * RATE) :], RATE) for phase in PHASES],
        )
    return expected


def _written(waveform, path):
    """Write a waveform, and return what was written."""
    soundfile.write(path, np.clip(waveform, -1, 1 - 2**-15), RATE, subtype="PCM_16")
    return soundfile.read(path, dtype="float32")[0]


def measure(page, sounds, minutes):
    """Run what measures, and return what it prints."""
    command = ["node", HERE / "measure.mjs", page.resolve(), sounds, str(minutes)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise BenchmarkError(f"the page could not be measured: {run.stderr[-2000:]}")
    return json.loads(run.stdout)


def compare(expected, played, found):
    """Compare the notes of a page with Python's, of a file and of a microphone.

    Of Python's, those of the phase are taken that are most like the microphone's.
    """
    late = 1e3 * np.array(found["heard"]["late"])
    onsets = np.array(found["heard"]["onsets"])
    heard = [beside(notes[:, 0], onsets) for notes in played]
    themselves = [beside(played[0][:, 0], notes[:, 0]) for notes in played[1:]]
    return {
        "notes": len(expected),
        "file": beside(expected[:, 0], np.array(found["onsets"])),
        "microphone": max(heard, key=lambda one: one["f"]),
        "phases": min(themselves, key=lambda one: one["f"]),
        "real_time_factor": np.median(found["factors"]),
        "real_time_factors": found["factors"],
        "answer_median_ms": np.median(late),
        "answer_p95_ms": np.percentile(late, 95),
    }


def in_firefox(expected, found):
    """Compare what Firefox hears in files, and how fast, where there is one."""
    return {
        name: beside(expected[name][0][:, 0], np.array(one["onsets"]))
        | {"real_time_factor": np.median(one["factors"])}
        for name, one in found.items()
    }


def beside(expected, onsets):
    """Count onsets, and those within 10 ms of one of Python's; times begin somewhere.

    `f` is the F-measure of onsets that are the same.
    """
    best = 0
    for first in expected[:3]:  # a microphone may begin within the first notes
        for own in onsets[:3]:
            apart = np.abs((onsets - own)[:, None] - (expected - first)).min(axis=0)
            best = max(best, int((apart < 0.01).sum()))
    n_both = len(onsets) + len(expected)
    f = 2 * best / n_both if n_both else 1.0
    return {"notes": len(onsets), "expected": len(expected), "same": best, "f": f}


def browser():
    """Return the version of the browser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            run = subprocess.run([path, "--version"], capture_output=True, text=True)
            return run.stdout.strip()
    raise BenchmarkError("there is no Chromium.")


def passages_table(result):
    """Return the header and one row per passage."""
    cells = [
        [
            "passage",
            "notes in Python",
            "the same from a file",
            "from the microphone",
            "in Python, where frames begin elsewhere",
            "answer after a note's end, median, ms",
            "95th percentile, ms",
            "real-time factor of a file",
        ]
    ]
    for name, one in result["passages"].items():
        counts = [_count(one[way]) for way in ("file", "microphone", "phases")]
        times = [number(one[key]) for key in ("answer_median_ms", "answer_p95_ms")]
        row = [name.replace("_", " "), str(one["notes"]), *counts]
        cells.append([*row, *times, number(one["real_time_factor"])])
    return cells


def _count(one):
    """Say how many of Python's notes are the same, and how many there are beside them."""
    more = one["notes"] - one["same"]
    return f"{one['same']} of {one['expected']}" + (f", and {more} more" if more else "")


def page_table(result):
    """Return the header and one row per number about all of the page."""
    cold, memory = result["cold"], result["memory"]
    last, firefox = memory[-1], []
    if others := result["firefox"].values():
        same, notes = (sum(one[key] for one in others) for key in ("same", "expected"))
        firefox.append(["the same notes from files in Firefox", f"{same} of {notes}"])
    return [
        ["the page", "measured"],
        ["size with runtime and model, MB", number(result["megabytes"])],
        ["ready after a cold start, s", number(np.median([one["ready"] for one in cold]))],
        ["first answer after a cold start, s", number(np.median([one["first"] for one in cold]))],
        *firefox,
        [f"memory after {memory[0]['minutes']} minutes of playing, MiB", number(memory[0]["mib"])],
        [f"memory after {last['minutes']} minutes, MiB", number(last["mib"])],
        ["errors in the console", str(len(result["console_errors"]))],
    ]


def caption(result):
    """Return sentences about what was run."""
    settings = result["settings"]
    load = settings.get("load_before")
    others = "" if load is None else f" Other programs ran: the load was {load:.1f} before."
    return (
        f"{settings['browser']}, headless, WebAssembly with one thread. Recordings are given as "
        "files, five times, of which the median counts, and played as a fake microphone at "
        f"{settings['sample_rate']} Hz, after {REST:g} s of silence. A note is the same if its "
        "onset is within 10 ms. A microphone begins anywhere within a frame of 10 ms: its notes "
        "are compared with Python's at the likest of ten such beginnings; how far Python's own "
        "notes at one of the others are from those at the first, at most, is beside it."
        f"{others} {measured_on(result['environment'])}"
    )


TABLES = {"scores": ("Passages", passages_table), "page": ("The page", page_table)}
