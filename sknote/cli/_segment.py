"""``sknote segment``: the notes of passages, and with a model what it says of each."""

import contextlib
import sys

import numpy as np

from sknote._params import n_cores
from sknote.cli._main import INTERRUPTED, code_of, say
from sknote.cli._output import make_writer, printable, progress
from sknote.cli._reading import count_of, named_instruments, read_ahead, recordings

_RATE = 22050  # Hz, where no model has one
_PLACE = ("file", "onset", "offset")
_ANSWER = ("instrument", "pitch", "label", "confidence", "runner_up")
_CONFIDENT = ("level", "reason")  # of models that say how sure they are
_DIGITS = {"onset": 4, "offset": 4, "pitch": 2, "confidence": 6}


def run(options):
    """Carry the command out; the notes of a file are written as soon as they are known."""
    judge = _Notes() if options.model is None else _JudgedNotes(options.model)
    answer = () if options.model is None else (*_ANSWER, *judge.more)
    fields = (*_PLACE, *answer, "error")
    write = make_writer(options.form, fields, _as_text)
    n_done = n_failed = 0
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress(count_of(options.files), "file"))
        jobs = recordings(options.files, options.instrument)
        jobs = named_instruments(jobs, judge.model, "segment")
        read = read_ahead(jobs, {"sample_rate": judge.rate}, options.jobs or n_cores())
        stack.enter_context(contextlib.closing(read))
        try:
            for recording in read:
                rows = _rows_of(recording, judge)
                for row in rows:
                    write(dict.fromkeys(fields) | {"file": recording.name} | row)
                n_failed += any(row.get("error") is not None for row in rows)
                n_done += 1
                sys.stdout.flush()
                advance(1)
        except KeyboardInterrupt:
            sys.stdout.flush()
            say(f"interrupted after {n_done} recordings")
            return INTERRUPTED
    return code_of(n_done, n_failed)


def _as_text(row):
    if row["error"] is not None:
        return None
    words = [row["file"], f"{row['onset']:.3f}", f"{row['offset']:.3f}"]
    if row.get("label") is not None:
        pitch = "-" if row["pitch"] is None else f"{row['pitch']:.2f}"
        confidence = "-" if row["confidence"] is None else f"{row['confidence']:.3f}"
        words += [pitch, row["label"], confidence]
        words += [row["reason"]] if row.get("reason") else []
    return "\t".join(map(printable, words))


def _rows_of(recording, judge):
    """Return a row for each note of a recording, or one that says what is wrong with it."""
    for remark in recording.remarks:
        say(f"{recording.name}: {remark}")
    error, rows = recording.error, []
    if error is None:
        try:
            rows = judge(recording)
        except (ValueError, RuntimeError, MemoryError) as wrong:
            error = str(wrong) or type(wrong).__name__
    if error is not None:
        say(f"{recording.name}: {error}")
        return [{"error": error}]
    if not rows:
        say(f"{recording.name}: no notes were found in it")
    return [
        {
            name: round(value, _DIGITS[name]) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


class _Notes:
    """Onset and offset alone."""

    rate, model = _RATE, None

    def __call__(self, recording):
        from sknote.audio import segment_notes

        notes = segment_notes(recording.waveform, self.rate)
        return [{"onset": float(start), "offset": float(end)} for start, end in notes]


class _JudgedNotes:
    """What a model says of each note."""

    def __init__(self, path):
        from sknote.passages import array_rate

        if path.lower().endswith(".onnx"):
            from sknote.deploy import OnnxNoteClassifier

            self.model = OnnxNoteClassifier(path)
        else:
            from sknote.deploy import load

            self.model = load(path)
        self.rate = array_rate(self.model)
        self.more = _CONFIDENT if hasattr(self.model, "predict_with_confidence") else ()

    def __call__(self, recording):
        from sknote.passages import judge_notes

        classes = [str(label) for label in self.model.classes_]
        found = judge_notes(self.model, recording.waveform, self.rate, recording.instrument)
        notes, pitches, answers = found
        if isinstance(answers, dict):
            answers = [dict(zip(answers, values)) for values in zip(*answers.values())]
        rows = []
        for (start, end), pitch, answer in zip(notes, pitches, answers):
            row = {"onset": float(start), "offset": float(end), "instrument": recording.instrument}
            if not np.isnan(pitch):
                row["pitch"] = float(pitch)
            rows.append(row | _said(answer, classes))
        return rows


def _said(answer, classes):
    """Return what a row says of an answer: of probabilities, or of a SelectiveClassifier's."""
    if isinstance(answer, dict):
        is_known = answer["level"] != "unknown"  # which has no probability
        confidence = float(answer["confidence"]) if is_known else None
        said = {"label": str(answer["answer"]), "confidence": confidence}
        return said | {name: answer[name] for name in ("runner_up", *_CONFIDENT)}
    best, *others = np.argsort(-answer, kind="stable")[:2]
    said = {"label": classes[best], "confidence": float(answer[best])}
    for other in others:
        said["runner_up"] = classes[other]
    return said
