"""Tune a model by nested, grouped cross-validation; a run that was cut off goes on where it was."""

import sys

import numpy as np
import pandas as pd
from optuna.distributions import distribution_to_json
from sklearn.base import clone

from benchmarks import cli
from benchmarks.cli import available_threads, positive, two_or_more
from benchmarks.datasets import fold_key, load_task, make_folds
from benchmarks.features import make_features
from benchmarks.folds import run_folds
from benchmarks.layout import describe_data, measured_on, new_figure, print_remarks, publish, table
from benchmarks.models import Options, build, settings
from benchmarks.processes import run_kept
from benchmarks.results import describe_task, mean_and_spread, plain, rests_on, score_fold
from benchmarks.run import SCORES, WHOLE, result_name
from benchmarks.search import PREFIX, plan_searches, search_fold, search_space

SEARCH = ("trials", "inner", "pruner", "seed")
SETTINGS = ("outer", *SEARCH, "min_class_count", "max_notes", "max_epochs")
_SCORES = {name: SCORES[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")}
_COSTS = {
    "COMPLETE": ("complete", ""),
    "PRUNED": ("pruned", ""),
    "FAIL": ("failed", ""),
    "search_seconds": ("search (s)", ".0f"),
    "fit_seconds": ("fit (s)", ".1f"),
}
OPTIONS = {
    **cli.DATA,
    "--model": (str, "baseline", "compact, baseline or extra_trees"),
    "--space": (cli.names, None, "parts of its space, with commas; an unknown one lists them"),
    "--trials": (positive, 20, "in each outer fold"),
    "--outer": (two_or_more, 3, "folds that give the score"),
    "--inner": (two_or_more, 3, "folds that choose"),
    "--pruner": (("median", "none"), None, "of trials (default: median for compact, else none)"),
    "--storage": (str, None, "URL of a database, or path of a journal (default: in --cache-dir)"),
    "--n-jobs": (positive, None, "outer folds at a time (default: one a core, at most --outer)"),
    "--name": (cli.file_name, None, "of the result's files (default: tune-DATASET-MODEL)"),
    **cli.FITS,
    **cli.SHARED,
}


def main(args):
    """Run the command; returns its exit status."""
    args.n_jobs = args.n_jobs or min(args.outer, available_threads())
    args.pruner = args.pruner or ("median" if args.model == "compact" else "none")
    n_threads = max(1, available_threads() // args.n_jobs)
    common = Options(args.seed, n_threads, args.device, args.max_epochs)
    pipeline, model = build(args.model, common), args.model
    space, pipeline = search_space(model, pipeline, args.space, max_epochs=args.max_epochs)
    task = load_task(args)
    folds, remarks = make_folds(task, args.outer, args.seed)
    where = {"cache_dir": args.cache_dir, "options": common}
    unreadable, more = make_features(task, [pipeline], args.cache_dir, args.n_jobs * n_threads)
    asked = {name: getattr(args, name) for name in SEARCH}
    jobs = plan_searches(task, folds, model, pipeline, space, asked, args.storage, **where)
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs, "n_threads": n_threads}
    searches = run_kept(search_fold, jobs, **how)
    chosen = [clone(pipeline).set_params(**search["params"]) for search in searches]
    make_features(task, chosen, args.cache_dir, args.n_jobs * n_threads)
    pipelines = {model: [pipeline] * len(folds), PREFIX + model: chosen}
    outcomes = run_folds(task, folds, pipelines, n_jobs=args.n_jobs, **where)
    chosen_by = {name: getattr(args, name) for name in SETTINGS}
    result = {
        "kind": "search",
        "task": describe_task(task, chosen_by, [*remarks, *more], unreadable),
        "model": model,
        "space": {name: distribution_to_json(one) for name, one in space.items()},
        "settings": settings(pipeline),
        "importance_evaluator": f"fANOVA (optuna, 64 trees, seed {args.seed})",
        **summarize(task, folds, searches, outcomes),
    }
    name = args.name or f"tune-{result_name(args, WHOLE)}-{model}"
    # exact numbers: models are made of the parameters
    publish(plain(result, digits=17), args.out / f"{name}.json", sys.modules[__name__])
    print_remarks(result["task"], {model: result["warnings"]})
    return 0


def summarize(task, folds, searches, outcomes):
    """Put the searches and the folds of a model, as it is and tuned, together."""
    scores = {name: [score_fold(task, fold) for fold in own] for name, own in outcomes.items()}
    before, after = (pd.DataFrame(own)[[*_SCORES]] for own in scores.values())
    entries = []
    for k, search in enumerate(searches):
        trials = pd.DataFrame(search["trials"])
        entry = {"fold": k, "key": fold_key(task, *folds[k])}
        entry |= {"n_trials": dict(trials.state.value_counts())}
        entry["search_seconds"] = trials.seconds.sum()
        entry |= {"scores": {name: own[k] for name, own in scores.items()}}
        kept = ("params", "inner_score", "importance", "trials")
        entries.append(entry | {name: search[name] for name in kept})
    known = [search["importance"] for search in searches if search["importance"]]
    return {
        "models": {name: mean_and_spread(own) for name, own in scores.items()},
        "gain": mean_and_spread(after - before),
        "inner_score": mean_and_spread([{"score": search["inner_score"]} for search in searches]),
        "importance": pd.DataFrame(known).mean().to_dict(),
        **rests_on([*searches, *(fold for own in outcomes.values() for fold in own)]),
        "folds": entries,
    }


def score_table(result):
    """Return the header and a row each for the model as it is, tuned, and the gain in a fold."""
    rows = {}
    for model, entry in result["models"].items():
        rows[model] = _pairs(entry)
        if model != result["model"]:
            rows[model] |= _pairs(result["inner_score"])
    columns = _SCORES | {"score": ("best inner accuracy", ".3f")}
    signed = {name: (heading, "+.3f") for name, (heading, _) in columns.items()}
    gain = {"gain in a fold": _pairs(result["gain"])}
    return table("model", rows, columns) + table("model", gain, signed)[1:]


def parameter_table(result):
    """Return the header and one row per parameter: importance, default, choice of each fold."""
    columns = {"importance": ("importance", ".2f"), "default": ("default", "")}
    columns |= {fold["fold"]: (f"fold {fold['fold']}", "") for fold in result["folds"]}
    importance, rows = result["importance"], {}
    for name in sorted(result["space"], key=lambda name: -importance.get(name, 0.0)):
        default = result["settings"][name].strip("'")
        rows[name] = {"importance": importance.get(name), "default": default}
        for fold in result["folds"]:
            value = fold["params"][name]
            rows[name][fold["fold"]] = f"{value:.3g}" if isinstance(value, float) else str(value)
    return table("parameter", rows, columns)


def cost_table(result):
    """Return the header and one row per outer fold: trials, and what they took."""
    rows = {}
    for fold in result["folds"]:
        *_, tuned = fold["scores"].values()
        counts = dict.fromkeys(_COSTS, 0) | fold["n_trials"]
        rows[str(fold["fold"])] = counts | tuned | fold
    return table("outer fold", rows, _COSTS)


def caption(result):
    """Return a sentence about the data, the folds and the searches behind a result."""
    task, settings = result["task"], result["task"]["settings"]
    epochs = f" of {settings['max_epochs']} epochs" if settings["max_epochs"] else ""
    return (
        f"{task['dataset']}: {describe_data(task['data'])}; "
        f"{settings['outer']} outer and {settings['inner']} inner "
        f"stratified grouped folds, seed {settings['seed']}; {settings['trials']} trials{epochs} "
        f"in each outer fold; mean ± standard deviation over outer folds; importance by "
        f"{result['importance_evaluator']}, mean over outer folds. "
        f"{measured_on(result['environment'])}"
    )


def _pairs(entry):
    return {name: (entry["mean"][name], entry["std"][name]) for name in entry["mean"]}


TABLES = {
    "scores": ("Scores on the outer folds", score_table),
    "parameters": ("What was chosen in each outer fold", parameter_table),
    "costs": ("Trials and their cost", cost_table),
}


def draw(result, path):
    """Draw trials and the best so far on the left, and the importance of parameters beside it."""
    folds = result["folds"]
    title = f"{result['task']['dataset']}, {result['model']}: trials of {len(folds)} outer folds"
    height = max(4.2, 1.5 + 0.35 * len(result["space"]))
    figure, (left, right) = new_figure(11, height, title)
    names = sorted(result["importance"], key=result["importance"].get)
    right.barh(names, [result["importance"][name] for name in names], color="lightgray")
    for fold in folds:
        trials = [trial for trial in fold["trials"] if trial["state"] == "COMPLETE"]
        numbers = [trial["number"] for trial in trials]
        scores = [np.mean(trial["inner_scores"]) for trial in trials]
        (best,) = left.step(numbers, np.maximum.accumulate(scores), where="post")
        how = {"color": best.get_color(), "label": f"outer fold {fold['fold']}"}
        left.plot(numbers, scores, "o", **how)
        if fold["importance"]:
            right.plot([fold["importance"][name] for name in names], names, "o", **how)
    left.set(xlabel="trial", ylabel="inner accuracy")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend()
    right.set_yticks(range(len(names)), [name.split("__")[-1] for name in names])
    right.set_xlabel("share in the variance of the inner score")
    figure.savefig(path)
