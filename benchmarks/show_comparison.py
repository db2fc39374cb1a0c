"""What `run` finds, as tables and as a picture."""

import itertools
from statistics import mean, stdev

import numpy as np
import pandas as pd

from benchmarks.layout import COLOURS, mean_and_std, new_figure

# Column → heading, number format
_SCORES = {
    "accuracy": ("accuracy", ".3f"),
    "balanced_accuracy": ("balanced acc.", ".3f"),
    "macro_f1": ("macro-F1", ".3f"),
    "hierarchical_f1": ("hier. F1", ".3f"),
    "log_loss": ("log loss", ".2f"),
    "calibration_error": ("calibration err.", ".3f"),
}
_ERRORS = {
    "accuracy": ("right", ".3f"),
    "top_2_accuracy": ("right with the second answer", ".3f"),
}
_COSTS = {
    "fit_seconds": ("fit (s)", ".1f"),
    "fit_cpu_seconds": ("fit (CPU s)", ".1f"),
    "predict_notes_per_s": ("predict (notes/s)", ".0f"),
    "peak_memory_mib": ("peak memory (MiB)", ".0f"),
}
_CHANGES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "log_loss": "log loss"}


def score_table(result):
    """Return the header and one row per model: mean ± standard deviation over folds."""
    return _per_model(result, _SCORES)


def cost_table(result):
    """Return the header and one row per model: time, speed and memory of a fold's process."""
    head, *rows = _per_model(result, _COSTS)
    speeds = [entry["features"] for entry in result["models"].values()]
    cells = [f"{speed['notes_per_s']:.0f}" if speed else "-" for speed in speeds]
    return [[*head, "features (notes/s per core)"], *([*r, cell] for r, cell in zip(rows, cells))]


def level_table(result):
    """Return the header and one row per model: each level of the labels by itself."""
    means = [entry["mean"] for entry in result["models"].values()]
    columns = {}
    for name in means[0]:
        level, _, kind = name.rpartition("_accuracy")
        if kind == "" and level and name not in _SCORES | _ERRORS:
            columns[name] = (level, ".3f")
        # an order of which no two neighbours ever occur says nothing
        if name.endswith("_one_step") and any(mean[name] for mean in means):
            columns[name] = (f"{name.removesuffix('_one_step')}: errors one step off", ".3f")
    return _per_model(result, columns)


def error_table(result):
    """Return the header and one row per model: how near, and how lasting, its errors are."""
    # the result may hold models of earlier runs
    known = {n: e for n, e in result["models"].items() if "repeated_errors" in e["pooled"]}
    head, *rows = _per_model({"models": known}, _ERRORS)
    # of all folds together: in one of them there may be no pair of notes
    repeated = [entry["pooled"]["repeated_errors"] for entry in known.values()]
    cells = [mean_and_std(value, None, ".3f") for value in repeated]
    return [[*head, "errors that repeat"], *([*row, cell] for row, cell in zip(rows, cells))]


def class_table(result):
    """Return the header and one row per label: F1 of each model, all folds together."""
    models = result["models"]
    rows = [["label", "notes", *models]]
    for label, entry in _first(result)["classes"].items():
        f1 = [model["classes"].get(label, {}).get("f1") for model in models.values()]
        rows.append([label, str(entry["support"]), *(mean_and_std(x, None, ".2f") for x in f1)])
    return rows


def change_table(result):
    """Return the header and a row for each model but the first: the differences between them.

    They are taken fold by fold, so that folds may be hard or easy.
    """
    (_, first), *others = result["models"].items()
    rows = [["model", "what it is", *_CHANGES.values(), "fit (CPU), times"]]
    for model, entry in others:
        row = [model, entry["summary"]]
        for name in _CHANGES:
            changes = [new[name] - old[name] for new, old in zip(entry["folds"], first["folds"])]
            spread = stdev(changes) if changes[1:] else None
            row.append(mean_and_std(mean(changes), spread, "+.3f"))
        ratio = entry["mean"]["fit_cpu_seconds"] / first["mean"]["fit_cpu_seconds"]
        rows.append([*row, f"{ratio:.2f}"])
    return rows


def instrument_table(result):
    """Return the header and one row per instrument: mean ± deviation of each model's accuracy."""
    models = result["models"]
    rows = [["instrument", "notes", *models]]
    for name, entry in _first(result)["instruments"].items():
        own = [model["instruments"][name] for model in models.values()]
        cells = [mean_and_std(row["mean_accuracy"], row["std_accuracy"], ".3f") for row in own]
        rows.append([name, str(entry["n"]), *cells])
    return rows


def caption(result):
    """Return a sentence about the data and the folds behind a result."""
    task, models = result["task"], result["models"]
    data, settings = task["data"], task["settings"]
    machines = sorted({entry["environment"]["machine"]["processor"] for entry in models.values()})
    commits = sorted({str(entry["environment"]["commit"]) for entry in models.values()})
    folds = f"{settings['folds']} stratified grouped folds"
    if "inner" in settings:
        folds = f"{settings['inner']} such folds of the training part of the first of {folds}"
    return (
        f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, "
        f"{data['n_groups']} groups, {data['n_instruments']} instruments; "
        f"{folds}, seed {settings['seed']}; mean ± standard deviation over folds. "
        f"{', '.join(machines)}; commit {', '.join(commits)}."
    )


TABLES = {
    "scores": ("Scores", score_table),
    "levels": ("Accuracy on each level of the labels alone", level_table),
    "errors": ("Errors", error_table),
    "instruments": ("Accuracy on each instrument", instrument_table),
    "classes": ("F1 of each label", class_table),
    "changes": ("Differences from the first model", change_table),
    "costs": ("Cost", cost_table),
}

_BARS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced\naccuracy",
    "macro_f1": "macro-F1",
    "hierarchical_f1": "hierarchical\nF1",
}
MAX_INSTRUMENTS = 16  # those with the most notes; the result's file has all


def draw(result, path):
    """Draw scores on the left, and accuracy on each instrument on the right, into a PNG file.

    Of more models than there are colours it shows the scores alone, a row for each.
    """
    task, data, settings = result["task"], result["task"]["data"], result["task"]["settings"]
    folds = f"{settings['folds']} grouped folds"
    if "inner" in settings:
        folds = f"{settings['inner']} inner folds"
    title = f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, {folds}"
    models = result["models"]
    if len(models) > len(COLOURS):
        height = 1.4 + 0.3 * len(models)
        figure, panels = new_figure(11, height, title, ncols=len(_CHANGES), sharey=True)
        for axes, (score, heading) in zip(panels, _CHANGES.items()):
            _draw_rows(axes, models, score)
            axes.set_xlabel(f"{heading} (mean ± standard deviation)")
    else:
        first = _first(result)["instruments"]
        frequent = sorted(first, key=lambda name: -first[name]["n"])[:MAX_INSTRUMENTS]
        # those that the first model knows best stand at the top
        instruments = sorted(frequent, key=lambda name: first[name]["accuracy"])
        height = max(4.2, 1.8 + (0.2 + 0.03 * len(models)) * len(instruments))
        figure, (left, right) = new_figure(11, height, title, width_ratios=(1.15, 1))
        rest = itertools.cycle(COLOURS)
        colours = [COLOURS[-1] if name == "dummy" else next(rest) for name in models]
        _draw_bars(left, models, colours)
        _draw_instruments(right, models, colours, instruments)
    figure.savefig(path)


def _draw_bars(axes, models, colours):
    means, stds = (
        pd.DataFrame({name: entry[kind] for name, entry in models.items()}).loc[[*_BARS]]
        for kind in ("mean", "std")
    )
    errors = stds.astype(float).fillna(0.0)
    means.plot.bar(ax=axes, yerr=errors, color=colours, width=0.82, rot=0, capsize=2, legend=False)
    bars = [one for one in axes.containers if hasattr(one, "patches")]
    for one in bars:
        axes.bar_label(one, fmt=lambda value: f"{value:.2f}".removeprefix("0"), fontsize=7)
    axes.set_xticks(range(len(_BARS)), _BARS.values())
    axes.set_ylim(0, 1.0)
    axes.set_ylabel("score (mean ± standard deviation over folds)")
    axes.legend(bars, models, loc="upper left", ncols=3, frameon=False, fontsize=9)


def _draw_instruments(axes, models, colours, instruments):
    y = np.arange(len(instruments))
    for i, (name, entry) in enumerate(models.items()):
        rows = [entry["instruments"][instrument] for instrument in instruments]
        means = [row["mean_accuracy"] for row in rows]
        stds = [row["std_accuracy"] or 0.0 for row in rows]
        at = y - (i - (len(models) - 1) / 2) * 0.6 / len(models)
        axes.errorbar(means, at, xerr=stds, fmt="o", color=colours[i], label=name)
    first = next(iter(models.values()))["instruments"]
    axes.set_yticks(y, [f"{name} ({first[name]['n']})" for name in instruments])
    axes.set_ylim(-0.6, len(instruments) - 0.4)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("accuracy on the notes of an instrument (number of notes)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)


def _draw_rows(axes, models, score):
    """Draw a row for each model; a line marks the first of them, which the others vary."""
    means = [entry["mean"][score] for entry in models.values()]
    stds = [entry["std"][score] or 0.0 for entry in models.values()]
    y = np.arange(len(models))[::-1]
    axes.axvline(means[0], color="#999999", linewidth=1, linestyle="--")
    axes.errorbar(means, y, xerr=stds, fmt="o", color=COLOURS[0])
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_yticks(y, list(models))


def _first(result):
    return next(iter(result["models"].values()))


def _per_model(result, columns):
    rows = [["model", *(heading for heading, _ in columns.values())]]
    for model, entry in result["models"].items():
        means, stds = entry["mean"], entry["std"]
        cells = [mean_and_std(means.get(n), stds.get(n), spec) for n, (_, spec) in columns.items()]
        rows.append([model, *cells])
    return rows
