"""What `speed` finds, as tables and as a picture."""

import pandas as pd

from benchmarks.layout import measured_on, new_figure, number


def speed_table(result):
    """Return the header and one row per measurement: medians, and how many times better."""
    sides = ["reference, full", "times better", "reference, starter", "times better"]
    cells = [["measured", "unit", "sknote", *sides]]
    for row in result["speed"]:
        cells.append([row["name"], row["unit"]])
        for side in ("sknote", "full", "starter"):
            median, low, high = (number(row[side][name]) for name in ("median", "low", "high"))
            ratio = [number(row[side]["ratio"])] if side != "sknote" else []
            cells[-1] += [f"{median} ({low}–{high})", *ratio]
    return cells


def aim_table(result):
    """Return the header and one row per aim: whether it is reached."""
    rows = {row["name"]: row for row in result["speed"]}
    own = {name: row["sknote"]["median"] for name, row in rows.items()}
    fit, alone = "fit of 8,000 notes", "inference of one 1-s note"
    features = [rows[f"features from {kind}, one core"]["full"] for kind in ("MP3", "WAV")]
    slowest = min(row["ratio"] for row in features)
    # were a spectrogram free: what the libraries take that decode and resample
    reading = [own[f"only reading {kind}, one core"] for kind in ("MP3", "WAV")]
    free = min(read / row["median"] for read, row in zip(reading, features))
    batched, exported = (
        own["inference in batches, from waveforms"],
        own[f"{alone}, exported to ONNX"],
    )
    cells = [["aim", "bound", "measured", "reached"]]
    practice = []
    if result.get("practice"):  # run with --full alone
        ratio = result["practice"]["seconds"] / result["fit"]["seconds"]
        practice = [('a fit with augment="practice", times a fit', "at most", 1.3, ratio)]
    for name, bound, aim, value in (
        ("a fit, in seconds", "at most", 240, own[fit]),
        *practice,
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
        cells.append([name, f"{bound} {aim}", number(value), "yes" if reached else "no"])
    return cells


def step_table(result):
    """Return the header and one row per number about a training step of sknote's network."""
    step, achieved = result["step"], result["step"]["gflops_per_second"]
    rows = [["training step of sknote's network", "value"]]
    rows.append(["MFLOP per note", f"{step['flops_per_note'] / 1e6:.1f}"])
    rows.append(["GFLOP/s", number(achieved)])
    for dtype, rate in step["matmul_gflops_per_second"].items():
        rows.append([f"GFLOP/s of a large matrix product in {dtype}", number(rate)])
        rows.append([f"share of that ({dtype})", f"{100 * achieved / rate:.0f} %"])
    for name, ratio in result.get("recurrent", {}).items():  # older files do not have it
        words = {"layer": "the layer alone", "step": "the whole step"}[name]
        line = f"reference, full: a GRU in place of the Conv1d, {words}"
        rows.append([line, f"{number(ratio)} times as long"])
    return rows


def share_table(result, kind="groups", head="where the time of an epoch goes"):
    """Return the header and one row per kind of work, or operator, the costliest first."""
    shares = 100 * pd.Series(result["step"][kind]).sort_values(ascending=False)
    return [[head, "share (%)"], *([name, f"{share:.1f}"] for name, share in shares.items())]


def caption(result):
    """Return sentences about what was run, and what was extrapolated from it."""
    data, settings, more = result["data"], result["settings"], result["extrapolation"]
    if (fit := result["fit"]) is None:
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
    return (
        f"Medians of {settings['repeats']} repetitions in turns, with 5th and 95th percentile; "
        f"{data['n_notes']:,} synthetic notes of {data['mean_seconds']:.2f} s on "
        f"average; {settings['n_threads']} threads unless it says one core. {own}. The reference "
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
    "profile": ("Where the time goes", share_table),
    "operators": ("Operators", lambda result: share_table(result, "operators", "operator")),
}


def draw(result, path):
    """Draw how many times faster on the left, and where an epoch's time goes on the right."""
    figure, (left, right) = new_figure(11, 4.6, width_ratios=(1.4, 1))
    rows = pd.DataFrame(result["speed"][::-1]).set_index("name")
    faster = rows[["starter", "full"]].map(lambda side: side["ratio"])
    faster.columns = ["than the starter network", "than the full network"]
    # bars begin at 1: to the left of it something is slower
    (faster - 1).plot.barh(ax=left, left=1, logx=True, xlabel="times faster", ylabel="")
    groups = 100 * pd.Series(result["step"]["groups"]).sort_values()
    groups.plot.barh(ax=right, xlabel="share of the time of an epoch (%)")
    figure.savefig(path)
