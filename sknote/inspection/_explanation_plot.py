"""The picture of an explanation: the note in grey, and over it what mattered."""

import numpy as np

_RANGE = 70.0  # dB that are shown
_FOR, _AGAINST = "#D55E00", "#0072B2"


def draw(explanation, ax):
    """Draw a NoteExplanation on axes of matplotlib, which are returned."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes, decibels = explanation.axes, explanation.decibels
    times = axes.times(len(decibels))
    heights = axes.frequencies
    audible = heights > 0  # the axis is a logarithm
    peak = float(decibels.max())
    ax.pcolormesh(
        times,
        heights[audible],
        decibels[:, audible].T,
        cmap="Greys",
        vmin=peak - _RANGE,
        vmax=peak,
        shading="nearest" if len(times) > 1 else "auto",
        rasterized=True,
    )
    most = float(np.abs(explanation.importance).max()) or 1.0
    colours = [_AGAINST + "D0", _AGAINST + "00", _FOR + "00", _FOR + "D0"]
    cmap = LinearSegmentedColormap.from_list(
        "for and against", list(zip((0, 0.47, 0.53, 1), colours))
    )
    mesh = ax.pcolormesh(
        explanation.times,
        np.maximum(explanation.bands, heights[audible][0]),
        explanation.importance.T,
        cmap=cmap,
        vmin=-most,
        vmax=most,
        rasterized=True,
    )
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.set_label("importance (log-odds)")
    ax.set(yscale="log", xlabel="time (s)", ylabel="frequency (Hz)")
    ax.set_ylim(heights[audible][0], heights[-1])
    ticks = [hz for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if hz <= heights[-1]]
    ax.set_yticks([hz for hz in ticks if hz >= heights[audible][0]])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda hz, _: f"{hz:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_title("\n".join(explanation._title), loc="left", parse_math=False)
    return ax
