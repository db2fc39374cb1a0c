"""Files of saved pipelines, damaged, and what `load` makes of them."""

import copy
import json
import struct
import warnings

import numpy as np
from faults.worker import Case
from model_files import KEPT, members, pack, sounds

from sknote.deploy import load

VALUES = [None, True, -1, 0, 1, 1e9, 10**30, 0.5, "", "x", "|O", "<f4", [], [1], [[1]], {}]
VALUES += [{"tuple": [1]}, {"dict": [["a", []]]}, {"class": "NoteAnalyzer"}, "mel", "starter"]
MEGABYTES = 100
_MADE = {}


def prepare(folder):
    for name in ("note", "baseline"):
        path = KEPT / f"{name}-1.sknote"
        expected = load(path).predict_proba(sounds())
        _MADE[name] = path.read_bytes(), *members(path), expected


def make_case(seed, folder):
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["note", "baseline"]))
    path = folder / f"saved-{seed}.sknote"
    about = [_bytes, _document, _header, _numbers][rng.integers(4)](rng, path, *_MADE[name][:3])

    def run():
        outcome = _check(path, _MADE[name][3])
        path.unlink()  # what offends stays
        return outcome

    return Case(f"{name}: {about}", run, megabytes=MEGABYTES)


def _check(path, expected):
    """Hold what `load` promises: a pipeline that answers, or its own error."""
    try:
        pipeline = load(path)
    except ValueError as error:
        assert str(error).startswith("load: "), f"not its own: {error!r}"
        return "refused"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = pipeline.predict_proba(sounds())
        except ValueError as error:
            words = str(error).startswith(("NoteClassifier: ", "AudioLoader: ", "Spectrogram: "))
            assert words or "MFCCSummary" in str(error), f"not its own: {error!r}"
            return "refuses notes"
    assert found.shape == (3, len(pipeline.classes_)), f"shape {found.shape}"
    assert np.isfinite(found).all() and np.allclose(found.sum(axis=1), 1), "no probabilities"
    same = found.shape == expected.shape and np.allclose(found, expected, atol=1e-6)
    return "answers as before" if same else "answers otherwise"


def _bytes(rng, path, whole, document, arrays):
    data = bytearray(whole)
    start, stop = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    if rng.random() < 0.5:  # what the zip says of itself
        start = int(rng.choice([rng.integers(40), len(data) - rng.integers(1, 160)]))
        stop = min(len(data), start + int(rng.integers(1, 20)))
    how = rng.integers(5)
    if how == 0:
        near = start + rng.integers(1 + stop - start, size=rng.integers(1, 8))
        for place in near:
            data[min(int(place), len(data) - 1)] ^= 1 << rng.integers(8)
    elif how == 1:
        del data[stop:]
    elif how == 2:
        del data[start:stop]
    elif how == 3:
        data[stop:stop] = data[start:stop]
    else:
        data[start:stop] = rng.bytes(stop - start)
    path.write_bytes(data)
    return f"{['flipped', 'cut', 'deleted', 'doubled', 'drawn'][how]} {start}:{stop}"


def _places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from _places(inner, (*path, key))


def _change(rng, document):
    """Put another value, or none, anywhere into an object of JSON."""
    known = list(_places(document))
    *path, key = known[rng.integers(len(known))]
    place = document
    for one in path:
        place = place[one]
    if rng.random() < 0.2:
        del place[key]
        return f"no {[*path, key]}"
    value = VALUES[rng.integers(len(VALUES))]
    if isinstance(place[key], (int, float)) and rng.random() < 0.5:
        value = place[key] * int(rng.choice([-1, 2, 10, 10**4, 10**12])) + int(rng.integers(3))
    place[key] = value
    return f"{[*path, key]}: {value!r}"


def _document(rng, path, whole, document, arrays):
    document = copy.deepcopy(document)
    said = [_change(rng, document) for _ in range(rng.integers(1, 4))]
    pack(path, document, arrays)
    return ", ".join(said)


def _header(rng, path, whole, document, arrays):
    (length,) = struct.unpack("<Q", arrays[:8])
    header, data = json.loads(arrays[8 : 8 + length]), arrays[8 + length :]
    said = [_change(rng, header) for _ in range(rng.integers(1, 3))]
    text = json.dumps(header).encode()
    claimed = len(text) if rng.random() < 0.8 else int(rng.integers(2**62))
    pack(path, document, struct.pack("<Q", claimed) + text + data)
    return ", ".join(said)


def _numbers(rng, path, whole, document, arrays):
    """Draw some bytes of the arrays themselves: weights, or nodes and their indices."""
    (length,) = struct.unpack("<Q", arrays[:8])
    data = bytearray(arrays)
    for place in rng.integers(8 + length, len(data), size=rng.integers(1, 6)):
        data[place] = rng.integers(256)
    pack(path, document, bytes(data))
    return "numbers drawn"
