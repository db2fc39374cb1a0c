"""``sknote predict``: labels of recordings, however many there are."""

import contextlib
import copy
import sys
import warnings

import numpy as np

from sknote._optional import missing
from sknote._params import n_cores
from sknote.cli._answers import KnownAnswers
from sknote.cli._main import INTERRUPTED, code_of, say
from sknote.cli._output import make_writer, printable, progress
from sknote.cli._reading import (
    SILENT,
    count_of,
    in_batches,
    named_instruments,
    read_ahead,
    recordings,
)
from sknote.exceptions import NoSoundWarning

_FIELDS = (
    *("file", "instrument", "label", "probability", "runner_up", "runner_up_probability"),
    "error",
)
_CONFIDENT = ("level", "reason")  # of models that say how sure they are
_DIGITS = 6


def run(options):
    """Carry the command out; rows come in the order of the files, and as soon as they are known."""
    n_threads = options.jobs or n_cores()
    is_onnx = options.model.lower().endswith(".onnx")
    judge = (_OnnxJudge if is_onnx else _PipelineJudge)(options.model, n_threads)
    if options.cache is not None and judge.is_confident:
        raise ValueError(
            "predict: --cache keeps probabilities, and this model answers by more than those. "
            "Leave it out."
        )
    fields = (*_FIELDS[:-1], *(_CONFIDENT if judge.is_confident else ()), _FIELDS[-1])
    write = make_writer(options.form, fields, _as_text)
    n_done = n_failed = 0
    jobs = recordings(options.files, options.instrument)
    jobs = named_instruments(jobs, judge.model, "predict")
    answers = None if options.cache is None else KnownAnswers(options.cache, judge)
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress(count_of(options.files), "note"))
        stack.callback(judge.close)
        if answers is not None:
            stack.callback(answers.close)
        jobs = jobs if answers is None else answers.find(jobs)
        read = read_ahead(jobs, judge.read_options, n_threads)
        stack.enter_context(contextlib.closing(read))
        try:
            for batch in in_batches(read):
                for row in _answer(batch, judge, answers):
                    write(row)
                    n_failed += row["error"] is not None
                    n_done += 1
                sys.stdout.flush()
                advance(len(batch))
        except KeyboardInterrupt:
            sys.stdout.flush()
            say(f"interrupted after {n_done} recordings")
            return INTERRUPTED
    return code_of(n_done, n_failed)


def _as_text(row):
    if row["error"] is not None:
        return None
    probability = "-" if row["probability"] is None else f"{row['probability']:.3f}"
    words = [row["file"], row["label"], probability]
    words += [row["reason"]] if row.get("reason") else []
    return "\t".join(map(printable, words))


def _answer(batch, judge, answers=None):
    """Return a row for each recording of a batch, and say what is wrong with any."""
    probabilities = {id(one): one.answer for one in batch if one.answer is not None}
    new = [one for one in batch if one.error is None and one.answer is None]
    found = dict(_judged(new, judge))
    probabilities |= found if answers is None else answers.keep(new, found)
    rows = []
    for recording in batch:
        row = dict.fromkeys(_FIELDS) | dict.fromkeys(_CONFIDENT if judge.is_confident else ())
        row |= {"file": recording.name, "instrument": recording.instrument}
        for remark in recording.remarks:
            say(f"{recording.name}: {remark}")
        answer = recording.error or probabilities[id(recording)]
        if isinstance(answer, str):
            say(f"{recording.name}: {answer}")
            row["error"] = answer
        elif isinstance(answer, dict):
            row |= {"label": str(answer["answer"]), "runner_up": answer["runner_up"]}
            if answer["level"] != "unknown":  # which has no probability
                row["probability"] = round(float(answer["confidence"]), _DIGITS)
            row |= {name: answer[name] for name in _CONFIDENT}
            if answer["runner_up"] is not None:
                other = float(answer["runner_up_probability"])
                row["runner_up_probability"] = round(other, _DIGITS)
        else:
            best, *others = np.argsort(-answer, kind="stable")[:2]
            row["label"] = str(judge.classes[best])
            row["probability"] = round(float(answer[best]), _DIGITS)
            for other in others:
                row["runner_up"] = str(judge.classes[other])
                row["runner_up_probability"] = round(float(answer[other]), _DIGITS)
        rows.append(row)
    return rows


def _judged(batch, judge):
    """Yield pairs of a recording's id, and its probabilities or what went wrong.

    What cannot be computed together is computed by halves, until it is known what it is.
    """
    if not batch:
        return
    try:
        with _soundless() as rows:
            proba = judge([one.waveform for one in batch], [one.instrument for one in batch])
    except (ValueError, RuntimeError, MemoryError) as error:
        if len(batch) == 1:
            yield id(batch[0]), str(error) or type(error).__name__
        else:
            half = len(batch) // 2
            yield from _judged(batch[:half], judge)
            yield from _judged(batch[half:], judge)
    else:
        if judge.is_confident:
            proba = [dict(zip(proba, values)) for values in zip(*map(list, proba.values()))]
        for row, (recording, answer) in enumerate(zip(batch, proba)):
            yield id(recording), SILENT if row in rows else answer


@contextlib.contextmanager
def _soundless():
    """Give a set of the rows of which a model warns that there is no sound, and keep that back."""
    rows, show = set(), warnings.showwarning

    def note(message, *rest, **more):
        if isinstance(message, NoSoundWarning):
            rows.update(message.rows)
        else:
            show(message, *rest, **more)

    with warnings.catch_warnings():
        warnings.showwarning = note
        yield rows


class _PipelineJudge:
    """A model that :func:`sknote.deploy.save` wrote; its loader is told apart from the rest."""

    def __init__(self, path, n_threads):
        try:
            from sknote import AudioLoader
            from sknote.deploy import load
        except ModuleNotFoundError as error:
            raise ImportError(
                f"{missing(error.name or str(error), purpose='predict')}, or take an ONNX file, "
                "which needs the runtime alone: `sknote export` makes it where sknote is whole."
            ) from error
        self.model = pipeline = load(path)
        if hasattr(pipeline, "estimator_"):  # a SelectiveClassifier is around all of it
            pipeline, rest = pipeline.estimator_, copy.copy(pipeline)
            rest.estimator_ = pipeline[1:]
        else:
            rest = pipeline[1:]
        loader = pipeline[0]
        if not isinstance(loader, AudioLoader):
            raise ValueError(
                f"predict: expected a model that begins with an AudioLoader in {path!r}, got "
                f"{type(loader).__name__}."
            )
        self.read_options = loader.read_options()
        self.classes = rest.classes_
        self._columns = getattr(loader, "feature_names_in_", None)
        self.is_confident = hasattr(rest, "predict_with_confidence")
        self._ask = getattr(rest, "predict_with_confidence", rest.predict_proba)

    def __call__(self, waveforms, instruments):
        import pandas as pd

        audio = pd.Series(waveforms, dtype=object)
        if self._columns is None:
            return self._told(audio.to_numpy())
        known = {"audio": audio, "instrument": pd.Series(instruments, dtype=object)}
        missing = pd.Series([None] * len(waveforms), dtype=object)
        X = pd.DataFrame({name: known.get(name, missing) for name in self._columns})
        return self._told(X)

    def _told(self, X):
        found = self._ask(X)
        return {name: list(found[name]) for name in found} if self.is_confident else found

    def close(self):
        pass


class _OnnxJudge:
    """A model that :func:`sknote.deploy.export_onnx` wrote."""

    def __init__(self, path, n_threads):
        from sknote.deploy import OnnxNoteClassifier

        self._model = self.model = OnnxNoteClassifier(path, n_threads=n_threads)
        self.classes = self._model.classes_
        self.is_confident = hasattr(self._model, "predict_with_confidence")
        # recordings come as waveforms, of which the part is read and the rate is changed already
        self.read_options = dict(self._model._read)
        self._model._read = {"sample_rate": self._model.sample_rate}

    def __call__(self, waveforms, instruments):
        ask = getattr(self._model, "predict_with_confidence", self._model.predict_proba)
        found = ask(waveforms, instruments)
        return {name: list(found[name]) for name in found} if self.is_confident else found

    def close(self):
        pass
