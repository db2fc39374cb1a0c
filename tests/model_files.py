"""Small fitted pipelines, and the files of each format that are kept; for tests of saving.

``python tests/model_files.py`` writes the files of the present format: once, when it is new.
"""

import json
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from sknote import NoteClassifier, make_baseline_pipeline, make_note_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.datasets import make_notes
from sknote.deploy import load

KEPT = Path(__file__).parent / "deploy" / "kept"
NOTE, TREES = (KEPT / f"{name}-1.sknote" for name in ("note", "baseline"))
COMPACT = {"n_profiles": 1, "n_cepstra": 1, "n_functionals": 1, "channels": 4, "width": 8}
COMPACT |= {"n_coefficients": 4, "n_members": 2}
LABELS = ["bad-attack", "bad-richness", "good-sound"]
DATE = (1980, 1, 1, 0, 0, 0)


class Mean(nn.Module):
    """As simple as can be, so that exporting takes a moment."""

    def __init__(self, num_instruments, num_classes, n_bins):
        super().__init__()
        self.layer = nn.Linear(n_bins, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        return self.layer(spectrogram.sum(dim=1) / lengths[:, None])


def notes(n_notes=30):
    range_ = {"duration_range": (0.1, 0.3), "instruments": ["flute", "violin"]}
    return make_notes(n_notes, labels=LABELS, random_state=0, **range_)


def note_pipeline(**params):
    small = {"classify__max_epochs": 2, "classify__random_state": 0, "classify__augment": None}
    if params.get("classify__module", "compact") == "compact":
        small["classify__module_params"] = COMPACT
    return make_note_pipeline(**small | params)


def baseline(**params):
    return make_baseline_pipeline(**{"classify__max_iter": 3, "classify__random_state": 0} | params)


def selective():
    """A pipeline with confidence, of a spectrogram so small that the file is."""
    inner = NoteClassifier(max_epochs=9, random_state=0, augment=None, module_params=COMPACT)
    classify = SelectiveClassifier(inner, min_accuracy=0.2, cv=2, novelty=0.02)
    return make_note_pipeline(classify=classify, spectrogram__n_bins=4)


def sounds():
    """What kept files are asked about: the same on every machine."""
    time = np.arange(6000) / 22050
    tones = [np.sin(2 * np.pi * hz * time) * np.exp(-5 * time) for hz in (220, 440, 1000)]
    return [tone.astype(np.float32) for tone in tones]


def members(path):
    """Return the document of a file, and the bytes of its arrays."""
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("model.json")), file.read("arrays.safetensors")


def pack(path, document, arrays, names=("model.json", "arrays.safetensors"), **how):
    """Write a file as sknote packs one; `how` are attributes of its members that are otherwise."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in zip(names, (text, arrays, b"")):
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            for key, value in how.items():
                setattr(info, key, value)
            file.writestr(info, data)
    return path


def refused(path, message=None):
    """Check that a file is refused in its own words, in a moment, and in little memory."""
    before = _most_memory()
    seconds = []
    for _ in range(5):
        start = time.process_time()
        with pytest.raises(ValueError, match=message) as caught:
            load(path)
        seconds.append(time.process_time() - start)
        if seconds[-1] < 0.05:
            break
    text = str(caught.value)
    assert text.startswith(f"load: {str(path)!r} ") and len(text) < 600, text
    assert min(seconds) < 0.05, seconds
    assert _most_memory() - before < 100 * 1024


def _most_memory():
    """The most that this process ever had, in kB; 0 where that cannot be asked."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    from sknote import LabelHierarchy
    from sknote.deploy import save

    answers = {}
    for name, pipeline in (("note", note_pipeline()), ("baseline", baseline())):
        data = notes()
        pipeline.fit(data.data, data.target)
        about = {"data": {"name": "make_notes"}, "hierarchy": LabelHierarchy.good_sounds()}
        save(pipeline, KEPT / f"{name}-1.sknote", scores={"accuracy": 0.5}, **about)
        answers[name] = pipeline.predict_proba(sounds()).tolist()
    (KEPT / "answers-1.json").write_text(json.dumps(answers, indent=1) + "\n")
    save(selective().fit(notes(60).data, notes(60).target), KEPT / "selective-2.sknote")
    found = load(KEPT / "selective-2.sknote").predict_with_confidence(sounds())
    (KEPT / "selective-2.json").write_text(json.dumps(found.to_dict("list"), indent=1) + "\n")
