"""Results of ``speed`` as tables, in the form of `benchmarks.show`."""

_SIDES = {"sknote": "sknote", "full": "guide, full", "starter": "guide, starter"}


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
    features = [row for name, row in rows.items() if name.startswith("features")]
    fit = next(row for name, row in rows.items() if name.startswith("fit"))
    batched = rows["inference in batches, from waveforms"]["sknote"]["median"]
    alone = "inference of one 1-s note"
    slowest = min(row["full"]["ratio"] for row in features)
    # were a spectrogram free: what the libraries take that decode and resample
    free = min(
        rows[row["name"].replace("features from", "only reading")]["sknote"]["median"]
        / row["full"]["median"]
        for row in features
    )
    aims = [
        ("a fit, in seconds", "at most", 360, fit["sknote"]["median"]),
        (
            "a fit, times faster than the guide's full network",
            "at least",
            100,
            fit["full"]["ratio"],
        ),
        ("features, times the notes/s of the guide", "at least", 5, slowest),
        ("the same, if a spectrogram took no time", "at least", 5, free),
        ("inference in batches, notes/s", "at least", 500, batched),
        ("inference of one note, in ms", "at most", 5, rows[alone]["sknote"]["median"]),
        (
            "inference of one note, exported to ONNX, in ms",
            "at most",
            5,
            rows[f"{alone}, exported to ONNX"]["sknote"]["median"],
        ),
    ]
    table = [["aim", "bound", "measured", "reached"]]
    for name, bound, aim, value in aims:
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
    dearest = sorted(groups, key=groups.get, reverse=True)
    return rows + [[name, f"{100 * groups[name]:.1f}"] for name in dearest]


def operator_table(result):
    """Return the header and one row per operator of the training steps, the dearest first."""
    rows = [["operator", "share (%)"]]
    operators = result["step"]["operators"]
    return rows + [[name, f"{100 * share:.1f}"] for name, share in operators.items()]


def caption(result):
    """Return sentences about what was run, and what was extrapolated from it."""
    data, settings, more = result["data"], result["settings"], result["extrapolation"]
    environment, fit = result["environment"], result["fit"]
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
        f"average; {threads}. {own}. The guide's "
        f"epoch and fit are extrapolated from {more['guide_steps']} training steps of "
        f"{more['guide_batch_size']} notes to {more['guide_epochs']} epochs, as if its workers "
        f"prepared notes on all threads without any loss, and without its validation; it is given "
        f"{more['guide_longest_seconds']:.0f} s of a note at most. The exported note stands beside "
        f"the guide's networks in torch. "
        f"{environment['machine']['processor']}; commit {environment['commit']}."
    )


# What a document may ask for → title, rows of a result
TABLES = {
    "scores": ("Speed", speed_table),
    "aims": ("Aims", aim_table),
    "step": ("How close to the limit", step_table),
    "profile": ("Where the time goes", profile_table),
    "operators": ("The dearest operators", operator_table),
}


def _cell(entry):
    numbers = [_number(entry[name]) for name in ("median", "low", "high")]
    return f"{numbers[0]} ({numbers[1]}–{numbers[2]})"


def _number(value):
    """Write a number with three digits, and no exponent."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.3g}"
