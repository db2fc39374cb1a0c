"""``sknote evaluate``: scores on notes whose groups a model was not trained on."""

import sys

import numpy as np

from sknote.cli._confident import ConfidentScores, add_confidence, check_confidence
from sknote.cli._data import load_data, make_model, say_if_ungrouped
from sknote.cli._main import DONE, say
from sknote.cli._output import make_writer, progress


def run(options):
    """Carry the command out; the scores of a fold are written when they are known."""
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    if options.report is not None:
        _check_report(options.report)
    check_confidence(options)
    model = make_model(options)
    notes = load_data(options)
    n_groups = len(set(notes.groups))
    if n_groups < options.folds:
        raise ValueError(
            f"evaluate: expected a group for each fold; got {options.folds} folds and {n_groups} "
            "groups. Pass --folds, or another --group-pattern."
        )
    _check_labels(notes.target, options.folds)
    say_if_ungrouped(notes, "these scores flatter")
    how = add_confidence(model, notes, options)
    scores = _Scores(notes) if options.min_accuracy is None else ConfidentScores(notes)
    folds = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    fields = ("fold", "notes", *scores.names)
    write = make_writer(options.form, fields, _as_text)
    if options.form == "text":
        print("\t".join(fields))
    rows, probabilities = [], {}
    with progress(options.folds, "fold") as advance:

        def score(estimator, X, y):
            nonlocal probabilities
            found = scores(estimator, X, y)
            rows.append(found)
            if options.report is not None:
                probabilities |= _by_row(estimator, X)
            write({"fold": len(rows), "notes": len(y)} | _known(found))
            sys.stdout.flush()
            advance(1)
            return found

        cross_validate(
            model,
            notes.data,
            notes.target,
            groups=notes.groups,
            params=how,
            cv=folds,
            scoring=score,
            error_score="raise",
        )
    if options.form == "text":
        for name, values in scores.summaries(rows):
            row = {"fold": name, "notes": "" if name == "std" else len(notes.target)}
            write(row | _known(values))
    if options.report is not None:
        _write_report(options, notes, probabilities, scores.selective())
    return DONE


def _check_labels(labels, n_folds):
    """Refuse notes of which no label is in all folds."""
    names, counts = np.unique(labels, return_counts=True)
    if counts.max() < n_folds:
        raise ValueError(
            f"evaluate: expected a label of {n_folds} notes or more, one for each fold; got "
            f"{len(names)} labels, and {counts.max()} of {str(names[counts.argmax()])!r}, which "
            "has most. Record more notes of each, join labels, or pass fewer --folds."
        )


def _check_report(path):
    """Say what stands in the way of a report before anything else takes its time."""
    from sknote._files import check_room
    from sknote._optional import import_optional

    import_optional("matplotlib", extra="report", purpose="evaluate --report")
    from sknote.inspection.report._page import REPORT

    check_room(path, "evaluate --report", REPORT)


def _by_row(estimator, X):
    """Return the probability of each label, by it, for the rows of X, by their place among all."""
    proba = estimator.predict_proba(X)
    return {row: dict(zip(estimator.classes_, own)) for row, own in zip(X.index.tolist(), proba)}


def _write_report(options, notes, probabilities, selective):
    """Write what was answered while a note's group was left out of the training."""
    from sknote.inspection.report._write_report import report_on

    classes = np.unique(notes.target)
    proba = [
        [probabilities[row].get(name, 0.0) for name in classes] for row in range(len(notes.target))
    ]
    file = report_on(
        options.report,
        None,
        notes.data,
        notes.target,
        notes.groups,
        y_proba=np.array(proba),
        classes=classes,
        hierarchy=notes.hierarchy,
        title=f"Answers of {options.folds} folds of whole groups",
        selective=selective,
    )
    say(f"wrote {file}")


class _Scores:
    """The scores of scikit-learn's scorers of these names, and of `sknote.metrics`."""

    names = ("accuracy", "balanced_accuracy", "macro_f1", "hierarchical_f1")

    def __init__(self, notes):
        self._hierarchy = notes.hierarchy

    def __call__(self, model, X, y):
        from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

        from sknote.metrics import hierarchical_f1_score

        answers = model.predict(X)
        scores = (
            accuracy_score(y, answers),
            balanced_accuracy_score(y, answers),
            f1_score(y, answers, average="macro", zero_division=0),
            hierarchical_f1_score(y, answers, hierarchy=self._hierarchy),
        )
        return dict(zip(self.names, map(float, scores)))

    def summaries(self, rows):
        """Yield mean and standard deviation of the scores of folds, and what they are called."""
        for name, summary in (("mean", np.mean), ("std", np.std)):
            yield name, {one: float(summary([row[one] for row in rows])) for one in self.names}

    def selective(self):
        """Return None: there is an answer to each note, its most probable label."""


def _known(scores):
    """Return scores with None for those that there are not, NaN."""
    return {name: None if np.isnan(value) else value for name, value in scores.items()}


def _as_text(row):
    fold, notes, *scores = row.values()
    scores = ("-" if value is None else f"{value:.3f}" for value in scores)
    return "\t".join([str(fold), str(notes), *scores])
