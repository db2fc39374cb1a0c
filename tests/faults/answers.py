"""Files of answers that are damaged, or left by a killed process, and what is answered then."""

import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from answering import ByLevel, notes
from faults.worker import Case

from sknote.deploy import CachedClassifier

X = notes(300)
EXPECTED = ByLevel().predict_proba(X)
WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from answering import ByLevel, notes
from sknote.deploy import CachedClassifier
model = CachedClassifier(ByLevel(), sys.argv[1], max_memory=0, max_disk=1 << 16)
X = notes(300)
print("began", flush=True)
while True:
    for start in range(0, 300, 20):
        model.predict_proba(X[start : start + 20])
"""


def prepare(folder):
    """Make a file that is copied for each case: one whose last answers are still beside it."""
    whole = folder / "whole"
    whole.mkdir()
    with CachedClassifier(ByLevel(), whole / "answers.db", max_memory=0) as model:
        model.predict_proba(X[:250])
    model = CachedClassifier(ByLevel(), whole / "answers.db", max_memory=0)
    model.predict_proba(X[250:275])
    for path in list(whole.iterdir()):
        shutil.copyfile(path, path.with_name(f"kept-{path.name}"))
    model.close()
    for path in whole.glob("kept-*"):
        os.replace(path, path.with_name(path.name.removeprefix("kept-")))
    (whole / "answers.db-shm").unlink()


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    here = folder / f"answers-{seed}"
    shutil.rmtree(here, ignore_errors=True)
    if seed % 100 == 50:
        here.mkdir()
        delay = float(rng.uniform(0, 0.3))
        return Case(
            f"two are killed, the first after {delay:.3f} s",
            lambda: _kills(here, delay),
            may_wait=True,
        )
    shutil.copytree(folder / "whole", here)
    said = [_damage(rng, here) for _ in range(rng.integers(1, 3))]

    def run():
        outcomes = [_check(here), _check(here)]
        shutil.rmtree(here)  # what offends stays
        return outcomes[0]

    return Case("; ".join(said), run)


def _check(here):
    """Hold what CachedClassifier promises: right answers, and at most one warning of its own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with CachedClassifier(ByLevel(), here / "answers.db", max_memory=0) as model:
            for part in (slice(0, 100), slice(100, 300), slice(0, 50)):
                found = model.predict_proba(X[part])
                assert np.allclose(found, EXPECTED[part], atol=1e-7), "a wrong answer"
    texts = [str(one.message) for one in caught]
    assert len(texts) <= 1, f"more than one warning: {texts}"
    for text in texts:
        assert text.startswith("CachedClassifier: "), f"not its own: {text}"
        return text.partition("answers.db' ")[2][:24]
    return f"{'all' if model.n_hits >= 300 else 'some' if model.n_hits > 50 else 'no'} hits"


def _kills(here, delay):
    path = here / "answers.db"
    words = [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parents[1])]
    writers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    outcome = _check(here)
    assert outcome.endswith("hits"), outcome
    assert _check(here) == "all hits"
    shutil.rmtree(here)
    return "killed"


def _damage(rng, here):
    name = str(rng.choice(["answers.db", "answers.db", "answers.db-wal"]))
    path = here / name
    if not path.exists():
        return f"no {name}"
    data = bytearray(path.read_bytes())
    start, stop = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    how = int(rng.integers(8))
    if how < 3:  # some bits, of a page, of its head or anywhere
        first = 4096 * int(rng.integers(1 + len(data) // 4096))
        span = [100, 4096, len(data)][how]
        for place in rng.integers(span, size=rng.integers(1, 9)):
            data[min(len(data) - 1, (first if how < 2 else 0) + int(place))] ^= 1 << rng.integers(8)
    elif how == 3:
        del data[stop:]
    elif how == 4:
        del data[start:stop]
    elif how == 5:
        data[stop:stop] = data[start:stop]
    elif how == 6:
        data[start:stop] = rng.bytes(stop - start)
    else:
        data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    words = ["flipped heads", "flipped in a page", "flipped", "cut", "deleted", "doubled", "drawn"]
    return f"{name}: {[*words, 'zeroed'][how]} {start}:{stop}"
