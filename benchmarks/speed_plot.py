"""A picture of ``speed``: how many times faster on the left, where an epoch's time goes right."""

import numpy as np

from benchmarks.cache import write_atomic

_COLOURS = {"full": "#0072B2", "starter": "#56B4E9"}  # Okabe and Ito


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

    figure = Figure(figsize=(11, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    rows = result["speed"][::-1]
    y = np.arange(len(rows))
    for i, (side, colour) in enumerate(_COLOURS.items()):
        ratio = [row[side]["ratio"] for row in rows]
        at = y + 0.2 - 0.4 * i
        # bars begin at 1: to the left of it something is slower
        width = np.subtract(ratio, 1)
        label = f"than the guide's {side} network"
        left.barh(at, width, 0.38, left=1, color=colour, label=label)
        for value, where in zip(ratio, at):
            text = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
            where_to = (3, -3) if value >= 1 else (-3, -3)
            side_of = "left" if value >= 1 else "right"
            left.annotate(
                text, (value, where), where_to, textcoords="offset points", fontsize=7, ha=side_of
            )
    left.set_yticks(y, [row["name"] for row in rows], fontsize=9)
    left.set_xscale("log")
    left.axvline(1.0, color="#333333", linewidth=0.8)
    left.margins(x=0.12)
    left.set_xlabel("times faster")
    left.legend(loc="upper right", frameon=False, fontsize=8)

    groups = result["step"]["groups"]
    names = sorted(groups, key=groups.get)
    share = [100 * groups[name] for name in names]
    right.barh(names, share, color="#009E73")
    right.tick_params(axis="y", labelsize=9)
    right.set_xlabel("share of the time of an epoch (%)")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    settings = result["settings"]
    figure.suptitle(
        f"{settings['dataset']} notes, --n-threads {settings['n_threads']}", fontsize=12
    )
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))
