"""Ask models how sure they are: calibration, answers that are refused, and sets of labels."""

import sys
import warnings

import numpy as np
from sklearn.base import clone

from benchmarks import cli, conditions, odd_sounds, run
from benchmarks.cli import positive
from benchmarks.conditions import choose_folds
from benchmarks.datasets import fold_key, load_task
from benchmarks.environment import code_digest, peak_memory_mib
from benchmarks.features import inputs, make_features
from benchmarks.fits import Remembered
from benchmarks.folds import count_warnings, plan
from benchmarks.layout import describe_data, new_figure, print_remarks, publish, table
from benchmarks.models import MODELS, settings
from benchmarks.odd_sounds import odd_notes
from benchmarks.processes import run_kept
from benchmarks.results import describe_task, mean_and_spread, merge, rests_on
from benchmarks.trust_scores import (
    reliability,
    risk_curve,
    score_answers,
    score_sets,
    shares_of,
)
from sknote.confidence import ConformalClassifier, SelectiveClassifier

SETTINGS = (*conditions.SETTINGS, "n_odd")
OPTIONS = {
    **conditions.FOLD_OPTIONS,
    "--models": (cli.names, "compact", "with commas; an unknown one lists them"),
    "--n-odd": (positive, 60, "sounds of each kind that is no note, in each fold"),
}
NOT_A_LABEL = ("unlike the notes of fit", "more than one note at once", "no sound")
LEFT_OUT = "an instrument left out of the fit"
# Variants of ConformalClassifier
SETS = {
    "sets": {},
    "one threshold": {"conditional": False},
    "no extrapolation": {"extrapolate": False},
}


def main(args):
    """Run the command; returns its exit status."""
    common, models = run.prepare(args)
    task = load_task(args)
    pipelines, folds, remarks = choose_folds(task, models, args)
    every = [pipeline for own in pipelines.values() for pipeline in own]
    n_jobs = args.n_jobs * common.n_threads
    unreadable, more = make_features(task, every, args.cache_dir, n_jobs)
    how = {"cache_dir": args.cache_dir, "options": common, "n_jobs": args.n_jobs}
    asked = {"seed": args.seed, "n_odd": args.n_odd}
    jobs = []
    for job in plan(task, folds, pipelines, **how):
        number = len(jobs) % len(folds)
        key = job.key | asked | {"number": number, "odd": code_digest(odd_sounds)}
        jobs.append(job._replace(key=key, arguments=job.arguments | asked | {"number": number}))
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs, "n_threads": common.n_threads}
    found = iter(run_kept(fit_and_ask, jobs, **how, fresh=args.fresh))
    entries = {}
    for name, own in pipelines.items():
        entries[name] = summarize(task, name, own[0], [next(found) for _ in folds])
    about = describe_task(
        task, {name: getattr(args, name) for name in SETTINGS}, [*remarks, *more], unreadable
    )
    path = args.out / f"{args.name or 'trust-' + run.result_name(args, conditions.USUAL)}.json"
    result = merge(path, about, entries, "trust")
    publish(result, path, sys.modules[__name__])
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    return 0


def fit_and_ask(pipeline, task, train, test, cache_dir, environment, seed, n_odd, number):
    """Fit both to the one part of a task; ask about the other part, and about odd sounds."""
    instruments = sorted(set(task.data.instrument.iloc[train]))
    hear = lambda notes: inputs(pipeline, notes, instruments, cache_dir)  # noqa: E731
    X, y, groups = hear(task.notes(train)), task.target[train], task.groups[train]
    X_test = hear(task.notes(test))
    kept = {"folder": cache_dir / "fits", "key": fold_key(task, train, test)}
    once = Remembered(clone(pipeline[-1]), pipeline.steps[:-1], **kept)
    how = {"hierarchy": task.hierarchy}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        selective = SelectiveClassifier(once, **how).fit(X, y, groups=groups)
        sets, asked = {}, {}
        for name, params in SETS.items():
            model = ConformalClassifier(once, **how, **params).fit(X, y, groups=groups)
            sets[name] = _all_classes(task, model.classes_, model.predict_set(X_test))
            asked[name] = float(model.level_)
        answers = selective.predict_with_confidence(X_test)
        proba = selective.estimator_.predict_proba(X_test)
        calibrated = selective.predict_proba(X_test)
        rng = np.random.default_rng([seed, number])
        odd = {
            kind: _refusals(selective, hear(notes))
            for kind, notes in odd_notes(task, test, n_odd, rng).items()
        }
        odd |= _ask_about_left_out(pipeline[-1], X, y, groups, X_test, number)
    levels = selective.levels_["level"].tolist()[:-1]
    place = {name: number for number, name in enumerate(levels)}
    return {
        "rows": test,
        "proba": _all_classes(task, selective.classes_, proba).astype(np.float32),
        "calibrated": _all_classes(task, selective.classes_, calibrated).astype(np.float32),
        "sets": sets,
        "levels": levels,
        "level": np.array([place.get(level, -1) for level in answers["level"]]),
        "right": np.asarray(selective.is_right(answers, task.target[test]), dtype=bool),
        "novel": answers["reason"].isin(NOT_A_LABEL).to_numpy(),
        "odd": odd,
        "temperature": selective.temperature_,
        "threshold": selective.threshold_,
        "level_of_folds": asked["sets"],
        "peak_memory_mib": peak_memory_mib(),
        "warnings": count_warnings(caught),
        "environment": environment,
    }


def _refusals(selective, X):
    """Return how many sounds there were, and which share got no answer, and was told as novel."""
    answers = selective.predict_with_confidence(X)
    return {
        "n": len(answers),
        "refused": float((answers["answer"] == "unknown").mean()),
        "novel": float(answers["reason"].isin(NOT_A_LABEL).mean()),
    }


def _ask_about_left_out(estimator, X, y, groups, X_test, number):
    """Ask about the notes of an instrument that novelty never heard, another one in each fold.

    Novelty goes by what is computed of a note, and not by what the network learned: of a classifier
    that learns in epochs, one epoch is enough.
    """
    if "max_epochs" not in estimator.get_params():
        return {}
    counts = X_test["instrument"].value_counts()
    names = sorted(counts.index[counts >= 20])
    if len(names) < 2:
        return {}
    name = names[number % len(names)]
    rows = np.flatnonzero((X["instrument"] != name).to_numpy())
    quick = clone(estimator).set_params(max_epochs=1)
    model = SelectiveClassifier(quick, cv=2, hierarchy=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it promises nothing, and nobody asks what
        model.fit(X.iloc[rows], y[rows], groups=groups[rows])
        asked = X_test[(X_test["instrument"] == name).to_numpy()]
        told = _refusals(model, asked)
    return {LEFT_OUT: told | {"refused": None, "instrument": name}}


def _all_classes(task, classes, values):
    """Return values with a column for each class of the task."""
    found = np.zeros((len(values), len(task.classes)), dtype=values.dtype)
    found[:, np.searchsorted(task.classes, classes)] = values
    return found


def summarize(task, name, pipeline, outcomes):
    """Put together how far a model's answers can be trusted, by fold and in all."""
    instrument = task.data.instrument.fillna("unknown").to_numpy(dtype=str)
    n_notes_of = np.bincount(np.searchsorted(task.classes, task.target[task.rows]))
    about = {"n_notes_of": n_notes_of, "instrument": instrument}
    folds = [_score(task, outcome, **about) for outcome in outcomes]
    keys = ("rows", "proba", "calibrated", "level", "right", "novel")
    joined = {key: np.concatenate([one[key] for one in outcomes]) for key in keys}
    joined["sets"] = {
        kind: np.concatenate([one["sets"][kind] for one in outcomes]) for kind in SETS
    }
    target = np.searchsorted(task.classes, task.target[joined["rows"]])
    held = joined["sets"]["sets"][np.arange(len(target)), target]
    kinds = list(dict.fromkeys(kind for one in outcomes for kind in one["odd"]))
    return {
        "summary": MODELS[name][0],
        "settings": settings(pipeline),
        **rests_on(outcomes),
        **mean_and_spread(folds),
        "pooled": _score(task, joined, **about),
        "folds": folds,
        "odd": {
            kind: _join_odd([one["odd"][kind] for one in outcomes if kind in one["odd"]])
            for kind in kinds
        },
        "levels": {
            level: _of_level(joined["level"] == number, joined["right"])
            for number, level in enumerate(outcomes[0]["levels"])
        },
        "reliability": {
            kind: reliability(target, joined[kind]) for kind in ("proba", "calibrated")
        },
        "risk": risk_curve(target, joined["calibrated"]),
        "instruments": shares_of(held, instrument[joined["rows"]], 30),
    }


def _score(task, known, *, n_notes_of, instrument):
    rows = known["rows"]
    target = np.searchsorted(task.classes, task.target[rows])
    scores = score_answers(target, known)
    for kind, sets in known["sets"].items():
        own = score_sets(target, instrument[rows], sets, n_notes_of)
        scores |= {f"{kind}: {score}": value for score, value in own.items()}
    more = ("temperature", "threshold", "level_of_folds")
    scores |= {name: known[name] for name in more if name in known}
    return {key: float("nan") if value is None else float(value) for key, value in scores.items()}


def _of_level(is_there, right):
    accuracy = float(right[is_there].mean()) if is_there.any() else None
    return {"share": float(is_there.mean()), "accuracy": accuracy}


def _join_odd(known):
    """Join what is known of a kind in several folds, each sound counting once."""
    n = [one["n"] for one in known]
    joined = {"n": sum(n)}
    for name in ("refused", "novel"):
        values = [one[name] for one in known]
        joined[name] = None if None in values else float(np.average(values, weights=n))
    return joined


_ANSWERS = {
    "calibration_error": ("calibration err.", ".3f"),
    "calibrated_error": ("after temperature", ".3f"),
    "chance_error": ("by chance alone", ".3f"),
    "answered": ("answered at any level", ".3f"),
    "answered_right": ("of these right", ".3f"),
    "leaf": ("answered with a label", ".3f"),
    "leaf_right": ("of these right", ".3f"),
    "right_at_80": ("right, of the surest 80 %", ".3f"),
    "refused": ("refused as novel", ".3f"),
}
_SETS = {
    "coverage": ("hold the truth", ".3f"),
    "worst_instrument": ("worst instrument", ".3f"),
    "rare_labels": ("labels with under 30 notes", ".3f"),
    "worst_label": ("worst label", ".3f"),
    "size": ("labels in a set", ".2f"),
    "single": ("sets of one label", ".3f"),
}


def answer_table(result):
    """Return the header and one row per model: calibration, and answers that may be refused."""
    rows = {}
    for model, entry in result["models"].items():
        rows[model] = {key: (entry["pooled"][key], entry["std"][key]) for key in _ANSWERS}
    return table("model", rows, _ANSWERS)


def set_table(result):
    """Return the header and one row per model and kind of sets; worst and rare of all folds."""
    rows = {}
    for model, entry in result["models"].items():
        for kind in SETS:
            own = {key: entry["pooled"][f"{kind}: {key}"] for key in _SETS}
            for key in ("coverage", "size"):
                own[key] = own[key], entry["std"][f"{kind}: {key}"]
            rows[f"{model}: {kind}"] = own
    return table("model: sets", rows, _SETS)


def odd_table(result):
    """Return the header and one row per kind of sound: how often it was refused."""
    rows, columns = {}, {"n": ("sounds", "")}
    for model, entry in result["models"].items():
        columns[model] = (f"{model}: no answer", ".3f")
        columns[f"{model}: novel"] = (f"{model}: told as novel", ".3f")
        for kind, own in entry["odd"].items():
            known = {"n": own["n"], model: own["refused"], f"{model}: novel": own["novel"]}
            rows[kind] = rows.get(kind, {}) | known
    return table("what is heard", rows, columns)


def level_table(result):
    """Return the header and one row per model and level: how much is answered there."""
    rows = {
        f"{model}: {level}": own
        for model, entry in result["models"].items()
        for level, own in entry["levels"].items()
    }
    return table("model: level", rows, {"share": ("share", ".3f"), "accuracy": ("right", ".3f")})


TABLES = {
    "scores": ("Answers that may be refused", answer_table),
    "sets": ("Sets of labels", set_table),
    "novelty": ("What is no note, or more than one", odd_table),
    "levels": ("Answers by level", level_table),
}


def caption(result):
    """Return sentences about what was asked, the data and the folds."""
    return (
        "SelectiveClassifier(min_accuracy=0.95) and ConformalClassifier(confidence_level=0.9), "
        "calibrated in the training part of each fold; shares of the notes of all test parts. "
        f"{run.caption(result)}"
    )


def draw(result, path):
    """Draw confidence against accuracy, error against coverage, and sets by instrument."""
    models, task = result["models"], result["task"]
    title = f"{task['dataset']}: {describe_data(task['data'])}"
    figure, (left, middle, right) = new_figure(14, 4.8, title, ncols=3)
    left.plot([0, 1], [0, 1], color="gray", linestyle="--")
    for number, (model, entry) in enumerate(models.items()):
        colour = {"color": f"C{number}"}
        for kind, style in (("proba", ":"), ("calibrated", "-")):
            confidence, accuracy, _ = zip(*entry["reliability"][kind])
            label = f"{model}, {'as it is' if kind == 'proba' else 'with temperature'}"
            left.plot(confidence, accuracy, style, marker="o", ms=3, label=label, **colour)
        risk = entry["risk"]
        shares = np.linspace(0, 1, len(risk) + 1)[1:]
        middle.plot(shares, risk, label=model, **colour)
        names = sorted(entry["instruments"], key=entry["instruments"].get)
        values = [entry["instruments"][name] for name in names]
        right.plot(values, names, "o", label=model, **colour)
    left.set(xlabel="confidence", ylabel="share that is right")
    middle.set(xlabel="share of the notes, the surest first", ylabel="wrong labels", ylim=(0, None))
    right.axvline(0.9, color="gray", linestyle="--")
    right.set_xlabel("share of sets that hold the truth")
    for axes in (left, middle):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)
