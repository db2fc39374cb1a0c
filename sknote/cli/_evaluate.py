"""``sknote evaluate``: scores on notes whose groups a model was not trained on."""

import sys

import numpy as np

from sknote.cli._data import load_data, make_model
from sknote.cli._main import DONE, say
from sknote.cli._output import make_writer, progress

_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "hierarchical_f1")


def run(options):
    """Carry the command out; the scores of a fold are written when they are known."""
    from sklearn.model_selection import StratifiedGroupKFold, cross_validate

    if options.report is not None:
        _check_report(options.report)
    model = make_model(options)
    notes = load_data(options)
    n_groups = len(set(notes.groups))
    if n_groups < options.folds or options.folds < 2:
        raise ValueError(
            f"evaluate: expected at least 2 folds, and a group for each; got {options.folds} folds "
            f"and {n_groups} groups. Pass --folds, or another --group-pattern."
        )
    if n_groups == len(notes.groups):
        say(
            "each note is a group of its own: if there are several of one player or of one "
            "performance, these scores flatter. Pass --group-pattern"
        )
    folds = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    write = make_writer(options.form, ("fold", "notes", *_SCORES), _as_text)
    if options.form == "text":
        print("\t".join(["fold", "notes", *_SCORES]))
    rows, probabilities = [], {}
    with progress(options.folds, "fold") as advance:

        def score(estimator, X, y):
            nonlocal probabilities
            row = {"fold": len(rows) + 1, "notes": len(y)}
            row |= _scores(y, estimator.predict(X), notes.hierarchy)
            rows.append(row)
            if options.report is not None:
                probabilities |= _by_row(estimator, X)
            write(row)
            sys.stdout.flush()
            advance(1)
            return {name: row[name] for name in _SCORES}

        cross_validate(
            model,
            notes.data,
            notes.target,
            groups=notes.groups,
            cv=folds,
            scoring=score,
            error_score="raise",
        )
    if options.form == "text":
        for name, summary in (("mean", np.mean), ("std", np.std)):
            values = {score: float(summary([row[score] for row in rows])) for score in _SCORES}
            write({"fold": name, "notes": len(notes.target) if name == "mean" else ""} | values)
    if options.report is not None:
        _write_report(options.report, notes, probabilities, options.folds)
    return DONE


def _check_report(path):
    """Say what stands in the way of a report before anything else takes its time."""
    from sknote._files import check_target
    from sknote._optional import import_optional

    import_optional("matplotlib", extra="report", purpose="evaluate --report")
    from sknote.inspection.report._page import REPORT

    check_target(path, "evaluate --report", REPORT)


def _by_row(estimator, X):
    """Return the probability of each label, by it, for the rows of X, by their place among all."""
    proba = estimator.predict_proba(X)
    return {row: dict(zip(estimator.classes_, own)) for row, own in zip(X.index.tolist(), proba)}


def _write_report(path, notes, probabilities, n_folds):
    """Write what was answered while a note's group was left out of the training."""
    from sknote.inspection import write_report

    classes = np.unique(notes.target)
    proba = [
        [probabilities[row].get(name, 0.0) for name in classes] for row in range(len(notes.target))
    ]
    file = write_report(
        path,
        None,
        notes.data,
        notes.target,
        notes.groups,
        y_proba=np.array(proba),
        classes=classes,
        hierarchy=notes.hierarchy,
        title=f"Answers of {n_folds} folds of whole groups",
    )
    say(f"wrote {file}")


def _scores(y_true, y_pred, hierarchy):
    """Score as scikit-learn's scorers of these names do, and as `sknote.metrics` does."""
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

    from sknote.metrics import hierarchical_f1_score

    scores = (
        accuracy_score(y_true, y_pred),
        balanced_accuracy_score(y_true, y_pred),
        f1_score(y_true, y_pred, average="macro", zero_division=0),
        hierarchical_f1_score(y_true, y_pred, hierarchy=hierarchy),
    )
    return dict(zip(_SCORES, map(float, scores)))


def _as_text(row):
    scores = (f"{row[name]:.3f}" for name in _SCORES)
    return "\t".join([str(row["fold"]), str(row["notes"]), *scores])
