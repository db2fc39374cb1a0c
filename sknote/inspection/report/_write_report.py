"""write_report: all that is to be said of a model's answers, in one HTML file."""

from pathlib import Path

import numpy as np

from sknote._files import check_target, file_beside
from sknote._input.checks import check_groups, check_labels
from sknote._input.forms import check_instrument
from sknote._optional import import_optional
from sknote.inspection._answered import Answered
from sknote.inspection._confusion import HierarchicalConfusionDisplay
from sknote.inspection._drawing import check_fitted, hierarchy_of
from sknote.inspection._history import HistoryDisplay
from sknote.inspection._models import history_of
from sknote.inspection._reliability import ReliabilityDisplay
from sknote.inspection._risk_coverage import RiskCoverageDisplay
from sknote.inspection.report._notes import recordings_of, worst_notes
from sknote.inspection.report._page import REPORT, make_page
from sknote.inspection.report._selective import Selective
from sknote.inspection.report._tables import headline, make_tables

__all__ = ["write_report"]


def write_report(
    path,
    model,
    X,
    y,
    groups=None,
    *,
    y_proba=None,
    classes=None,
    hierarchy=None,
    title="How well notes are heard",
    n_notes=6,
    sounds=False,
):
    """Write a report on a model's answers: one HTML file, which needs nothing else.

    It has scores and tables (by level, label, instrument, family, duration), pictures, and the
    notes at which the model was surest and wrong, with what it heard in them. Any browser shows it,
    also on a phone; nothing is loaded from elsewhere.

    Of a selective classifier it says first what that answers: at which level, how often right, and
    why not at all. All other scores, tables and pictures are those of the most probable label.

    Parameters
    ----------
    path : str or path-like
        File to write; a report that is there is replaced once the new one is whole, and no other
        file is.
    model : fitted classifier, or None
        Asked by `predict_proba`, and to explain its mistakes; one that may answer with a node above
        labels or ``"unknown"``, such as a :class:`~sknote.confidence.SelectiveClassifier`, also by
        `predict_with_confidence`. None needs `y_proba` and `classes`.
    X : DataFrame with a column ``audio``, or sequence
        Notes that the model did not see, as it takes them. Of recordings and waveforms the report
        has durations and pictures; of other features it has not.
    y : array-like of shape (n_notes,)
        True labels.
    groups : array-like of shape (n_notes,) or None, default=None
        What belongs together, such as the notes of a player: the interval of the accuracy rests on
        whole groups. None means that each note is a group.
    y_proba : array-like of shape (n_notes, n_classes) or None, default=None
        Probabilities that are known already, such as those of
        ``cross_val_predict(method="predict_proba")``; None asks the model. What a model would
        answer with nodes or ``"unknown"`` is not told by them.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels of the columns of `y_proba`; None is ``model.classes_``.
    hierarchy : LabelHierarchy or None, default=None
        The levels of the labels; None is the model's, if it has one, else ``LabelHierarchy()`` for
        labels such as ``good`` or ``bad-air``.
    title : str, default="How well notes are heard"
        Stands first.
    n_notes : int, default=6
        Wrongly heard notes that are shown, at most.
    sounds : bool, default=False
        Whether they can be listened to. That puts their sound into the file, which makes it larger,
        and may need the leave of whoever owns the recordings.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If labels, probabilities or groups are not as many as notes, or are none; if a class is
        named twice; or if a hierarchy that was fitted does not know a class.
    OSError
        If the file cannot be written, or another one than a report is there.
    ImportError
        If matplotlib is not installed; ``pip install 'sknote[report]'`` installs it.

    See Also
    --------
    explain_note : What a note's answer rests on.
    sknote.metrics.class_report, sknote.metrics.instrument_report : Tables of it.

    Examples
    --------
    >>> import tempfile
    >>> from sknote.inspection import write_report
    >>> y = ["bad-air", "good-sound", "good-sound"]
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    >>> known = {"y_proba": proba, "classes": ["bad-air", "good-sound"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_report(f"{folder}/report.html", None, [[1.0], [2.0], [3.0]], y, **known)
    ...     "By label" in file.read_text(encoding="utf-8")
    True
    """
    known = {"y_proba": y_proba, "classes": classes, "hierarchy": hierarchy}
    how = {"title": title, "n_notes": n_notes, "sounds": sounds}
    return report_on(path, model, X, y, groups, **known, **how)


def report_on(
    path,
    model,
    X,
    y,
    groups,
    *,
    y_proba,
    classes,
    hierarchy,
    title,
    n_notes=6,
    sounds=False,
    selective=None,
):
    """Do as `write_report`; `selective` is what was answered, where `y_proba` is known."""
    check_target(path, "write_report", REPORT)
    import_optional("matplotlib", extra="report", purpose="write_report")
    if isinstance(n_notes, bool) or not isinstance(n_notes, (int, np.integer)) or n_notes < 0:
        raise ValueError(f"write_report: expected n_notes to be 0 or more, got {n_notes!r}.")
    if y_proba is None:
        if model is None:
            raise ValueError(
                "write_report: expected a model or y_proba, got neither. Pass a fitted classifier."
            )
        check_fitted(model, "predict_proba", "write_report")
    if classes is None:
        if not hasattr(model, "classes_"):
            raise ValueError(
                "write_report: expected the classes of the columns of y_proba. Pass classes=."
            )
        classes = model.classes_
    y = check_labels(y, _length(X), "write_report")
    groups = check_groups(groups, len(y), "write_report")
    proba = model.predict_proba(X) if y_proba is None else y_proba
    answers = Answered.of(y, proba, classes, "write_report")
    hierarchy = hierarchy_of(model, answers.classes, hierarchy, "write_report")
    if y_proba is None:
        selective = Selective.of(model, X, y)
    instrument = _instruments(X)
    recordings = recordings_of(model, X)
    seconds = None if recordings is None else recordings.seconds()
    true, pred = answers.y_true, answers.y_pred
    tables = make_tables(true, pred, hierarchy, instrument, seconds)
    numbers = headline(true, answers.proba, answers.classes, hierarchy, groups)
    texts = [_FLATTERS]
    if selective is not None:
        texts.append(_MOST_PROBABLE)
        tables = [*selective.tables(), *tables]
        numbers = selective.headline() | {
            _LABELS.get(name, name): numbers[name] for name in numbers
        }
    told = None if selective is None else selective.told
    how = {"n_notes": n_notes, "sounds": sounds, "told": told}
    shown = worst_notes(model, X, answers, instrument, recordings, **how)
    pictures = _pictures(model, answers, hierarchy, told)
    page = make_page(title, texts, numbers, pictures, tables, shown)
    with file_beside(path, "write_report", REPORT) as beside:
        beside.write_text(page, encoding="utf-8")
    return Path(path)


_FLATTERS = (
    "Scores count only for notes that the model was not trained on: if these are, they flatter."
)
_LABELS = {"accuracy": "accuracy of the most probable label"}
_MOST_PROBABLE = (
    "The model answers with a label, with a node above some labels, or not at all. What it answers "
    "is told first; all else is about the most probable label, as if it always gave one."
)


def _pictures(model, answers, hierarchy, told):
    """Yield captions and figures of matplotlib, of which one is open at a time."""
    about = answers.y_true, answers.proba, answers.classes
    if told is not None:
        how = {"hierarchy": hierarchy, "normalize": None, "ax": None}
        known = answers.y_true, told["answer"], answers.classes
        display = HierarchicalConfusionDisplay._of(*known, **how)
        yield "What is answered: labels, and behind them nodes and “unknown”.", display.figure_
    display = HierarchicalConfusionDisplay.from_predictions(
        answers.y_true, answers.y_pred, hierarchy=hierarchy
    )
    what = "What is taken for what" + (", by the most probable label" if told is not None else "")
    yield f"{what}; lines part the levels of the labels.", display.figure_
    display = ReliabilityDisplay.from_predictions(*about)
    yield "Whether answers are right as often as they are sure.", display.figure_
    display = RiskCoverageDisplay.from_predictions(*about)
    yield "How many answers are wrong, if only the surest are given.", display.figure_
    history = history_of(model)
    if history is not None and len(history):
        yield "How the training went.", HistoryDisplay.from_history(history).figure_


def _length(X):
    if not hasattr(X, "__len__"):
        raise TypeError(
            f"write_report: expected X to be a DataFrame or a sequence of notes, got {X!r}. Pass "
            "what the model takes."
        )
    shape = getattr(X, "shape", None)
    return shape[0] if shape else len(X)


def _instruments(X):
    if "instrument" not in getattr(X, "columns", ()):
        return None
    names = check_instrument(X["instrument"], "write_report")
    return np.array([name or "unknown" for name in names], dtype=object)
