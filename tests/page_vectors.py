"""Write what Python says of some sounds, for the tests of the page's modules to compare with.

    python tests/page_vectors.py examples/web/test/vectors

Sounds are synthetic, and so is what the small model is trained on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from model_files import Mean

from sknote import NoteClassifier, make_note_pipeline
from sknote.audio import NoteSegmenter
from sknote.audio._samples import resample
from sknote.confidence import SelectiveClassifier
from sknote.confidence._answers import AnswerRule, Level
from sknote.datasets import make_notes, make_passage
from sknote.deploy import NoteStream, OnnxNoteClassifier, export_onnx
from sknote.deploy._confident import describe_rule

RATES = (16000, 44100, 48000)
LABELS = ["good-sound", "bad-attack", "bad-pitch-stability", "bad-richness"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    model = OnnxNoteClassifier(export_onnx(small_model(), folder / "notes.onnx"))
    told = {
        "passages": [
            passage(folder, model, 22050, 15.0, 2.0, ornaments=1.0),  # with trills
            *(passage(folder, model, rate, 6.0, 6.0) for rate in RATES),
        ],
        "resampling": [resampling(folder, *rates) for rates in ((44100, 22050), (16000, 22050))],
        "rules": rules(),
    }
    (folder / "vectors.json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n")


def small_model():
    """Fit a model that knows little, but says how sure it is."""
    notes = make_notes(
        80,
        labels=LABELS,
        instruments=["flute", "sax_alto"],
        duration_range=(0.2, 0.4),
        class_imbalance=1,
        random_state=0,
    )
    inner = NoteClassifier(Mean, max_epochs=8, lr=0.03, augment=None, random_state=0)
    confident = SelectiveClassifier(inner, notes.hierarchy, min_accuracy=0.4, cv=2, novelty=False)
    model = make_note_pipeline(classify=confident)
    return model.fit(notes.data, notes.target, classify__groups=notes.groups)


def passage(folder, model, rate, seconds, notes_per_second, **how):
    """Write a passage; return its notes, and what the model says of each."""
    name = f"passage-{rate}.f32"
    how |= {"notes_per_second": notes_per_second, "sample_rate": rate, "random_state": 3}
    sound = make_passage(seconds, instrument="flute", **how)
    waveform = (np.round(sound.waveform * 2**15) / 2**15).astype(np.float32)  # as in a WAV file
    waveform.tofile(folder / name)
    segmenter = NoteSegmenter(rate)
    notes = [*segmenter.push(waveform).tolist(), *segmenter.flush().tolist()]
    heard = []
    stream = NoteStream(Keeping(model, heard), "flute", sample_rate=rate, hop=None)
    heard.clear()  # of what it asks first
    events = [event for event in stream.listen([waveform]) if event.kind == "judged"]
    answers = [
        {
            "onset": event.onset,
            "offset": event.offset,
            "answer": event.label,
            "level": event.level,
            "confidence": event.probability,
            "reason": event.reason,
            "proba": proba,
        }
        for event, proba in zip(events, heard, strict=True)
    ]
    return {"rate": rate, "file": name, "notes": notes, "answers": answers}


class Keeping:
    """A model that keeps the probabilities it answers with."""

    def __init__(self, model, heard):
        self._model, self._heard = model, heard

    def __getattr__(self, name):
        return getattr(self._model, name)

    def predict_with_confidence(self, X, instrument=None):
        self._heard.extend(self._model.predict_proba(X, instrument).tolist())
        return self._model.predict_with_confidence(X, instrument)


def resampling(folder, before, after):
    """Write a noise without its highest sounds, and the same at another rate."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, before // 4)
    noise = resample(noise.astype(np.float32), before * 0.8, before)
    names = [f"noise-{before}-{after}-{what}.f32" for what in ("in", "out")]
    for name, samples in zip(names, (noise, resample(noise, before, after))):
        samples.tofile(folder / name)
    return {"before": before, "after": after, "files": names}


def rules():
    """Answers of a rule with two levels and two limits, for probabilities of all kinds."""
    classes = np.array(["a", "b", "c", "d"])
    levels = (
        Level("label", tuple(classes.tolist()), np.arange(4)),
        Level("group", ("ab", "c", "d"), np.array([0, 0, 1, 2])),
        Level("quality", ("abc", "d"), np.array([0, 0, 0, 1])),
    )
    limits = (("unlike the notes of fit", 1.0), ("more than one note at once", np.inf))
    rule = AnswerRule(classes, levels, 0.6, limits)
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(4, 0.6), 200)
    scores = rng.normal(0.5, 0.4, (200, 2))
    silent = rng.uniform(size=200) < 0.05
    answers = rule.answer(proba, rule.refusals(200, scores, silent))
    return {
        "about": {"classes": classes.tolist(), "confidence": describe_rule(rule)},
        "proba": proba.tolist(),
        "scores": scores.tolist(),
        "silent": silent.tolist(),
        "answers": {name: list(values) for name, values in answers.items()},
    }


if __name__ == "__main__":
    main()
