"""What `tune` finds, as tables and as a picture."""

import itertools

import numpy as np

from benchmarks.layout import COLOURS, mean_and_std, measured_on, new_figure

_SCORES = {"accuracy": "accuracy", "balanced_accuracy": "balanced acc.", "macro_f1": "macro-F1"}


def score_table(result):
    """Return the header and a row each for the model as it is, tuned, and the gain in a fold."""
    scoring = result["task"]["settings"]["scoring"]
    head = f"best inner {_SCORES[scoring]}"
    rows = [["model", *_SCORES.values(), head]]
    inner = result["inner_score"]
    for model, entry in result["models"].items():
        is_tuned = model != result["model"]
        best = (
            mean_and_std(inner["mean"]["score"], inner["std"]["score"], ".3f") if is_tuned else "-"
        )
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
    task = result["task"]
    data, settings = task["data"], task["settings"]
    epochs = f" of {settings['max_epochs']} epochs" if settings["max_epochs"] else ""
    return (
        f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, "
        f"{data['n_groups']} groups; {settings['outer']} outer and {settings['inner']} inner "
        f"stratified grouped folds, seed {settings['seed']}; {settings['trials']} trials{epochs} "
        f"in each outer fold; mean ± standard deviation over outer folds; importance by "
        f"{result['importance_evaluator']}, mean over outer folds. "
        f"{measured_on(result['environment'])}"
    )


# What a document may ask for → title, rows of a result
TABLES = {
    "scores": ("Scores on the outer folds", score_table),
    "parameters": ("What was chosen in each outer fold", parameter_table),
    "costs": ("Trials and their cost", cost_table),
}


def _cells(entry, spec=".3f"):
    return [mean_and_std(entry["mean"][name], entry["std"][name], spec) for name in _SCORES]


def _value(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def draw(result, path):
    """Draw the trials of all searches on the left, and the importance of parameters on the right.

    A line is the best inner score so far; a small point the importance in one outer fold.
    """
    settings, folds = result["task"]["settings"], result["folds"]
    title = f"{result['task']['dataset']}, {result['model']}: trials of {len(folds)} outer folds"
    height = max(4.2, 1.5 + 0.35 * len(result["space"]))
    figure, (left, right) = new_figure(11, height, title, width_ratios=(1.2, 1))
    names = sorted(result["importance"], key=result["importance"].get)
    for fold, colour in zip(folds, itertools.cycle(COLOURS)):
        trials = [trial for trial in fold["trials"] if trial["state"] == "COMPLETE"]
        numbers = [trial["number"] for trial in trials]
        scores = [np.mean(trial["inner_scores"]) for trial in trials]
        left.plot(numbers, scores, "o", color=colour, label=f"outer fold {fold['fold']}")
        left.step(numbers, np.maximum.accumulate(scores), where="post", color=colour)
        if fold["importance"]:
            right.plot([fold["importance"][n] for n in names], names, "o", color=colour, zorder=3)
    left.set_xlabel("trial")
    left.set_ylabel(f"inner {settings['scoring'].replace('_', ' ')}")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False, fontsize=9)
    right.barh(names, [result["importance"][name] for name in names], color="#cccccc")
    right.set_yticks(range(len(names)), [name.split("__")[-1] for name in names])
    right.set_xlabel("share in the variance of the inner score")
    figure.savefig(path)
