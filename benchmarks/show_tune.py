"""Results of ``tune`` as tables, in the form of `benchmarks.show`."""

_SCORES = {"accuracy": "accuracy", "balanced_accuracy": "balanced acc.", "macro_f1": "macro-F1"}


def score_table(result):
    """Return the header and a row each for the model as it is, tuned, and the gain in a fold."""
    scoring = result["task"]["settings"]["scoring"]
    head = f"best inner {_SCORES[scoring]}"
    rows = [["model", *_SCORES.values(), head]]
    inner = result["inner_score"]
    for model, entry in result["models"].items():
        is_tuned = model != result["model"]
        best = _pair(inner["mean"]["score"], inner["std"]["score"]) if is_tuned else "-"
        rows.append([model, *_cells(entry), best])
    rows.append(["gain in a fold", *_cells(result["gain"], "+.3f"), "-"])
    return rows


def parameter_table(result):
    """Return the header and one row per parameter: importance, default, choice of each fold."""
    folds = result["folds"]
    rows = [["parameter", "importance", "default", *(f"fold {f['fold']}" for f in folds)]]
    importance = result["importance"]
    for name in sorted(result["space"], key=lambda name: -importance.get(name, 0.0)):
        share = f"{importance[name]:.2f}" if name in importance else "-"
        default = result["settings"][name].strip("'")
        rows.append([name, share, default, *(_value(f["params"][name]) for f in folds)])
    return rows


def cost_table(result):
    """Return the header and one row per outer fold: trials, and what they took."""
    rows = [["outer fold", "complete", "pruned", "failed", "search (s)", "fit (s)"]]
    for fold in result["folds"]:
        counts = [str(fold["n_trials"].get(s, 0)) for s in ("COMPLETE", "PRUNED", "FAIL")]
        *_, tuned = fold["scores"].values()
        seconds = [f"{fold['search_seconds']:.0f}", f"{tuned['fit_seconds']:.1f}"]
        rows.append([str(fold["fold"]), *counts, *seconds])
    return rows


def caption(result):
    """Return a sentence about the data, the folds and the searches behind a result."""
    task, environment = result["task"], result["environment"]
    data, settings = task["data"], task["settings"]
    epochs = f" of {settings['max_epochs']} epochs" if settings["max_epochs"] else ""
    return (
        f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, "
        f"{data['n_groups']} groups; {settings['outer']} outer and {settings['inner']} inner "
        f"stratified grouped folds, seed {settings['seed']}; {settings['trials']} trials{epochs} "
        f"in each outer fold; mean ± standard deviation over outer folds; importance by "
        f"{result['importance_evaluator']}, mean over outer folds. "
        f"{environment['machine']['processor']}; commit {environment['commit']}."
    )


# What a document may ask for → title, rows of a result
TABLES = {
    "scores": ("Scores on the outer folds", score_table),
    "parameters": ("What was chosen in each outer fold", parameter_table),
    "costs": ("Trials and their cost", cost_table),
}


def _cells(entry, spec=".3f"):
    return [_pair(entry["mean"][name], entry["std"][name], spec) for name in _SCORES]


def _pair(mean, std, spec=".3f"):
    return f"{mean:{spec}}" + ("" if std is None else f" ± {std:.3f}")


def _value(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
