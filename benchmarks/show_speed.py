"""What `speed` finds, as tables and as a picture."""

import numpy as np

from benchmarks.layout import COLOURS, measured_on, new_figure

_SIDES = {"sknote": "sknote", "full": "reference, full", "starter": "reference, starter"}


def speed_table(result):
    """Return the header and one row per measurement: medians, and how many times better."""
    rows = [["measured", "unit", "sknote"]]
    for side in list(_SIDES)[1:]:
        rows[0] += [_SIDES[side], "times better"]
    for row in result["speed"]:
        cells = [row["name"], row["unit"], _cell(row["sknote"])]
        for side in list(_SIDES)[1:]:
            cells += [_cell(row[side]), _number(row[side]["ratio"])]
        rows.append(cells)
    return rows


def aim_table(result):
    """Return the header and one row per aim: whether it is reached."""
    rows = {row["name"]: row for row in result["speed"]}
    own = {name: row["sknote"]["median"] for name, row in rows.items()}
    fit = next(name for name in rows if name.startswith("fit"))
    features = [name for name in rows if name.startswith("features")]
    slowest = min(rows[name]["full"]["ratio"] for name in features)
    # were a spectrogram free: what the libraries take that decode and resample
    reading = {name: own[name.replace("features from", "only reading")] for name in features}
    free = min(reading[name] / rows[name]["full"]["median"] for name in features)
    batched, alone = own["inference in batches, from waveforms"], "inference of one 1-s note"
    exported = own[f"{alone}, exported to ONNX"]
    table = [["aim", "bound", "measured", "reached"]]
    for name, bound, aim, value in (
        ("a fit, in seconds", "at most", 360, own[fit]),
        (
            "a fit, times faster than the full reference",
            "at least",
            100,
            rows[fit]["full"]["ratio"],
        ),
        ("features, times the notes/s of the reference", "at least", 5, slowest),
        ("the same, if a spectrogram took no time", "at least", 5, free),
        ("inference in batches, notes/s", "at least", 500, batched),
        ("inference of one note, in ms", "at most", 5, own[alone]),
        ("inference of one note, exported to ONNX, in ms", "at most", 5, exported),
    ):
        reached = value <= aim if bound == "at most" else value >= aim
        table.append([name, f"{bound} {aim}", _number(value), "yes" if reached else "no"])
    return table


def step_table(result):
    """Return the header and one row per number about a training step of sknote's network."""
    step = result["step"]
    achieved = step["gflops_per_second"]
    rows = [["training step of sknote's network", "value"]]
    rows.append(["MFLOP per note", f"{step['flops_per_note'] / 1e6:.1f}"])
    rows.append(["GFLOP/s", _number(achieved)])
    for dtype, rate in step["matmul_gflops_per_second"].items():
        rows.append([f"GFLOP/s of a large matrix product in {dtype}", _number(rate)])
        rows.append([f"share of that ({dtype})", f"{100 * achieved / rate:.0f} %"])
    return rows


def profile_table(result):
    """Return the header and one row per kind of work: its share in the time of an epoch."""
    groups = result["step"]["groups"]
    rows = [["where the time of an epoch goes", "share (%)"]]
    costliest = sorted(groups, key=groups.get, reverse=True)
    return rows + [[name, f"{100 * groups[name]:.1f}"] for name in costliest]


def operator_table(result):
    """Return the header and one row per operator of the training steps, the costliest first."""
    rows = [["operator", "share (%)"]]
    operators = result["step"]["operators"]
    return rows + [[name, f"{100 * share:.1f}"] for name, share in operators.items()]


def caption(result):
    """Return sentences about what was run, and what was extrapolated from it."""
    data, settings, more = result["data"], result["settings"], result["extrapolation"]
    fit = result["fit"]
    n_threads = settings["n_threads"]
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads unless it says one core"
    if fit is None:
        own = (
            f"sknote's fit is extrapolated from {more['sknote_epochs']} epochs on "
            f"{more['sknote_notes']:,} notes to {more['sknote_default_epochs']} epochs on "
            f"{more['fit_notes']:,}"
        )
    else:
        own = (
            f"sknote's fit was run, from files, on {fit['n_notes']:,} notes in {fit['epochs']} "
            f"epochs ({fit['seconds']:.0f} s, peak memory {fit['peak_memory_mib']:.0f} MiB)"
        )
        if fit["n_notes"] != more["fit_notes"]:
            own += f" and scaled to {more['fit_notes']:,}"
    return (
        f"Medians of {settings['repeats']} repetitions in turns, with 5th and 95th percentile; "
        f"{data['n_notes']:,} {settings['dataset']} notes of {data['mean_seconds']:.2f} s on "
        f"average; {threads}. {own}. The reference "
        f"recipe's epoch and fit are extrapolated from {more['reference_steps']} training steps of "
        f"{more['reference_batch_size']} notes to {more['reference_epochs']} epochs, as if its "
        f"workers prepared notes on all threads without any loss, and without its validation; it "
        f"is given {more['reference_longest_seconds']:.0f} s of a note at most. The exported note "
        f"stands beside the recipe's networks in torch. {measured_on(result['environment'])}"
    )


# What a document may ask for → title, rows of a result
TABLES = {
    "scores": ("Speed", speed_table),
    "aims": ("Aims", aim_table),
    "step": ("How close to the limit", step_table),
    "profile": ("Where the time goes", profile_table),
    "operators": ("The costliest operators", operator_table),
}


def _cell(entry):
    numbers = [_number(entry[name]) for name in ("median", "low", "high")]
    return f"{numbers[0]} ({numbers[1]}–{numbers[2]})"


def _number(value):
    """Write a number with three digits, and no exponent."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.3g}"


def draw(result, path):
    """Draw how many times faster on the left, and where an epoch's time goes on the right."""
    settings = result["settings"]
    title = f"{settings['dataset']} notes, --n-threads {settings['n_threads']}"
    figure, (left, right) = new_figure(11, 4.6, title, width_ratios=(1.4, 1))
    rows = result["speed"][::-1]
    y = np.arange(len(rows))
    for side, colour, shift in (("full", COLOURS[0], 0.2), ("starter", COLOURS[4], -0.2)):
        ratio = np.array([row[side]["ratio"] for row in rows])
        # bars begin at 1: to the left of it something is slower
        label = f"than the reference recipe's {side} network"
        bars = left.barh(y + shift, ratio - 1, 0.38, left=1, color=colour, label=label)
        texts = [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in ratio]
        left.bar_label(bars, texts, padding=3, fontsize=7)
    left.set_yticks(y, [row["name"] for row in rows], fontsize=9)
    left.set_xscale("log")
    left.axvline(1.0, color="#333333", linewidth=0.8)
    left.margins(x=0.12)
    left.set_xlabel("times faster")
    left.legend(loc="lower right", frameon=False, fontsize=8)

    groups = result["step"]["groups"]
    names = sorted(groups, key=groups.get)
    share = [100 * groups[name] for name in names]
    right.barh(names, share, color=COLOURS[2])
    right.tick_params(axis="y", labelsize=9)
    right.set_xlabel("share of the time of an epoch (%)")
    figure.savefig(path)
