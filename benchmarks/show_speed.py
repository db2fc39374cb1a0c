"""What `speed` finds, as tables and as a picture."""

from functools import partial

import pandas as pd

from benchmarks.layout import measured_on, new_figure, number, table

_EPOCH = "where the time of an epoch goes"


def speed_table(result):
    """Return the header and one row per measurement: medians, and how many times better."""
    columns, rows = {"unit": ("unit", ""), "sknote": ("sknote", "")}, {}
    for side in ("full", "starter"):
        columns[side] = (f"reference, {side}", "")
        columns[f"{side} ratio"] = ("times better", "")
    for measured in result["speed"]:
        row = rows[measured["name"]] = {"unit": measured["unit"]}
        for side in ("sknote", "full", "starter"):
            median, low, high = (number(measured[side][n]) for n in ("median", "low", "high"))
            row[side] = f"{median} ({low}–{high})"
            row[f"{side} ratio"] = number(measured[side].get("ratio", 1))
    return table("measured", rows, columns)


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
    exported, ratio = own[f"{alone}, exported to ONNX"], rows[fit]["full"]["ratio"]
    cells = [["aim", "bound", "measured", "reached"]]
    for name, bound, aim, value in (
        ("a fit, in seconds", "at most", 360, own[fit]),
        ("a fit, times faster than the full reference", "at least", 100, ratio),
        ("features, times the notes/s of the reference", "at least", 5, slowest),
        ("the same, if a spectrogram took no time", "at least", 5, free),
        ("inference in batches, notes/s", "at least", 500, batched),
        ("inference of one note, in ms", "at most", 5, own[alone]),
        ("inference of one note, exported to ONNX, in ms", "at most", 5, exported),
    ):
        reached = value <= aim if bound == "at most" else value >= aim
        cells.append([name, f"{bound} {aim}", number(value), "yes" if reached else "no"])
    return cells


def step_table(result):
    """Return the header and one row per number about a training step of sknote's network."""
    step = result["step"]
    achieved = step["gflops_per_second"]
    rows = [["training step of sknote's network", "value"]]
    rows.append(["MFLOP per note", f"{step['flops_per_note'] / 1e6:.1f}"])
    rows.append(["GFLOP/s", number(achieved)])
    for dtype, rate in step["matmul_gflops_per_second"].items():
        rows.append([f"GFLOP/s of a large matrix product in {dtype}", number(rate)])
        rows.append([f"share of that ({dtype})", f"{100 * achieved / rate:.0f} %"])
    return rows


def share_table(result, head, kind):
    """Return the header and one row per kind of work, or operator, the costliest first."""
    shares = result["step"][kind]
    costliest = sorted(shares, key=shares.get, reverse=True)
    rows = {name: {"share": shares[name]} for name in costliest}
    return table(head, rows, {"share": ("share (%)", ".1%")})


def caption(result):
    """Return sentences about what was run, and what was extrapolated from it."""
    data, settings, more = result["data"], result["settings"], result["extrapolation"]
    fit, n_threads = result["fit"], settings["n_threads"]
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


TABLES = {
    "scores": ("Speed", speed_table),
    "aims": ("Aims", aim_table),
    "step": ("How close to the limit", step_table),
    "profile": ("Where the time goes", partial(share_table, head=_EPOCH, kind="groups")),
    "operators": (
        "The costliest operators",
        partial(share_table, head="operator", kind="operators"),
    ),
}


def draw(result, path):
    """Draw how many times faster on the left, and where an epoch's time goes on the right."""
    settings, rows = result["settings"], result["speed"][::-1]
    title = f"{settings['dataset']} notes, --n-threads {settings['n_threads']}"
    figure, (left, right) = new_figure(11, 4.6, title, width_ratios=(1.4, 1))
    faster = pd.DataFrame(index=[row["name"] for row in rows])
    for side in ("starter", "full"):
        faster[f"than the recipe's {side} network"] = [row[side]["ratio"] for row in rows]
    # bars begin at 1: to the left of it something is slower
    (faster - 1).plot.barh(ax=left, left=1, logx=True, width=0.8)
    for bars, name in zip(left.containers, faster):
        left.bar_label(bars, map("{:,.1f}".format, faster[name]), padding=3, fontsize=7)
    left.axvline(1, color="black")
    left.margins(x=0.12)
    left.set_xlabel("times faster")
    left.legend(loc="upper right", fontsize=8)
    groups = 100 * pd.Series(result["step"]["groups"]).sort_values()
    groups.plot.barh(ax=right, color="C2")
    right.set_xlabel("share of the time of an epoch (%)")
    figure.savefig(path)
