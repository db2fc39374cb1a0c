"""A picture of a result: scores on the left, accuracy on each instrument on the right.

Of more models than there are colours it shows the scores alone, a row for each.
"""

import itertools

import numpy as np

from benchmarks.cache import write_atomic

_SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced\naccuracy",
    "macro_f1": "macro-F1",
    "hierarchical_f1": "hierarchical\nF1",
}
_OF_MANY = {"accuracy": "accuracy", "macro_f1": "macro-F1", "log_loss": "log loss"}
MAX_INSTRUMENTS = 16  # those with the most notes; the result's file has all
# Okabe and Ito's colours: told apart by everyone
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")


def plot(result, path):
    """Draw a result into a PNG file.

    Parameters
    ----------
    result : dict
        As read from a result's file.
    path : Path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    models = result["models"]
    if len(models) > len(_COLOURS):
        figure = Figure(figsize=(11, 1.4 + 0.3 * len(models)), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        _plot_many(models, figure)
        figure.suptitle(_title(result), fontsize=12)
        write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))
        return
    colours = {name: "#999999" if name == "dummy" else None for name in models}
    rest = itertools.cycle(_COLOURS)
    colours = {name: colour or next(rest) for name, colour in colours.items()}
    first = next(iter(models.values()))
    frequent = sorted(first["instruments"].items(), key=lambda item: -item[1]["n"])[
        :MAX_INSTRUMENTS
    ]
    # those that the first model knows best stand at the top
    instruments = sorted(dict(frequent), key=lambda name: first["instruments"][name]["accuracy"])
    n_rows = len(instruments)
    figure = Figure(
        figsize=(11, max(4.2, 1.8 + (0.2 + 0.03 * len(models)) * n_rows)),
        dpi=150,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))

    width = 0.82 / len(models)
    for i, (name, entry) in enumerate(models.items()):
        x = np.arange(len(_SCORES)) + (i - (len(models) - 1) / 2) * width
        mean = [entry["mean"][score] for score in _SCORES]
        std = [entry["std"][score] or 0.0 for score in _SCORES]
        left.bar(
            x,
            mean,
            0.92 * width,
            yerr=std,
            color=colours[name],
            label=name,
            error_kw={"elinewidth": 1, "ecolor": "#333333", "capsize": 2},
        )
        for at, value, spread in zip(x, mean, std):
            text = f"{value:.2f}".removeprefix("0")
            left.annotate(
                text,
                (at, value + spread),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8 if len(models) <= 4 else 6.5,
            )
    left.set_xticks(range(len(_SCORES)), _SCORES.values())
    left.set_ylim(0, 1.0)
    left.set_ylabel("score (mean ± standard deviation over folds)")
    left.legend(loc="upper left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False, fontsize=9)

    y = np.arange(n_rows)
    for i, (name, entry) in enumerate(models.items()):
        rows = [entry["instruments"][instrument] for instrument in instruments]
        right.errorbar(
            [row["mean_accuracy"] for row in rows],
            y - (i - (len(models) - 1) / 2) * 0.6 / len(models),
            xerr=[row["std_accuracy"] or 0.0 for row in rows],
            fmt="o",
            markersize=5,
            elinewidth=1,
            color=colours[name],
            label=name,
        )
    notes = [first["instruments"][instrument]["n"] for instrument in instruments]
    right.set_yticks(y, [f"{name} ({n})" for name, n in zip(instruments, notes)])
    right.set_ylim(-0.6, n_rows - 0.4)
    right.set_xlim(-0.02, 1.02)
    right.set_xlabel("accuracy on the notes of an instrument (number of notes)")
    right.grid(axis="x", color="#dddddd", linewidth=0.7)
    right.set_axisbelow(True)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(_title(result), fontsize=12)
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))


def _plot_many(models, figure):
    """Draw a row for each model; a line marks the first of them, which the others vary."""
    y = np.arange(len(models))[::-1]
    panels = figure.subplots(1, len(_OF_MANY), sharey=True)
    for axes, (score, heading) in zip(panels, _OF_MANY.items()):
        mean = [entry["mean"][score] for entry in models.values()]
        std = [entry["std"][score] or 0.0 for entry in models.values()]
        axes.axvline(mean[0], color="#999999", linewidth=1, linestyle="--")
        axes.errorbar(mean, y, xerr=std, fmt="o", markersize=5, elinewidth=1, color=_COLOURS[0])
        axes.set_xlabel(f"{heading} (mean ± standard deviation)")
        axes.grid(axis="x", color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(y, list(models))


def _title(result):
    task, data = result["task"], result["task"]["data"]
    settings = task["settings"]
    folds = f"{settings['folds']} grouped folds"
    if "inner" in settings:
        folds = f"{settings['inner']} inner folds"
    return f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, {folds}"
