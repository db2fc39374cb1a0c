"""Results as tables: for the terminal, in Markdown and in reStructuredText."""

from statistics import mean, stdev

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
_CHANGES = {
    "accuracy": ("accuracy", "+.3f"),
    "macro_f1": ("macro-F1", "+.3f"),
    "log_loss": ("log loss", "+.3f"),
}
_COSTS = {
    "fit_seconds": ("fit (s)", ".1f"),
    "fit_cpu_seconds": ("fit (CPU s)", ".1f"),
    "predict_notes_per_s": ("predict (notes/s)", ".0f"),
    "peak_memory_mib": ("peak memory (MiB)", ".0f"),
}


def score_table(result):
    """Return the header and one row per model: mean ± standard deviation over folds."""
    rows = [["model", *(head for head, _ in _SCORES.values())]]
    for model, entry in result["models"].items():
        rows.append([model, *(_cell(entry, name, spec) for name, (_, spec) in _SCORES.items())])
    return rows


def cost_table(result):
    """Return the header and one row per model: time, speed and memory of a fold's process."""
    rows = [["model", *(head for head, _ in _COSTS.values()), "features (notes/s per core)"]]
    for model, entry in result["models"].items():
        cells = [_cell(entry, name, spec) for name, (_, spec) in _COSTS.items()]
        features = entry["features"]
        rows.append([model, *cells, f"{features['notes_per_s']:.0f}" if features else "-"])
    return rows


def level_table(result):
    """Return the header and one row per model: each level of the labels by itself."""
    means = [entry["mean"] for entry in result["models"].values()]
    names = [
        name
        for name in means[0]
        if (name.endswith("_accuracy") and name not in _SCORES and name not in _ERRORS)
        # an order of which no two neighbours ever occur says nothing
        or (name.endswith("_one_step") and any(mean[name] for mean in means))
    ]
    heads = [
        name.replace("_accuracy", "").replace("_one_step", ": errors one step off")
        for name in names
    ]
    rows = [["model", *heads]]
    for model, entry in result["models"].items():
        rows.append([model, *(_cell(entry, name, ".3f") for name in names)])
    return rows


def error_table(result):
    """Return the header and one row per model: how near, and how lasting, its errors are."""
    rows = [["model", *(head for head, _ in _ERRORS.values()), "errors that repeat"]]
    for model, entry in result["models"].items():
        if "repeated_errors" in entry["pooled"]:  # the result may hold models of earlier runs
            cells = [_cell(entry, name, spec) for name, (_, spec) in _ERRORS.items()]
            # of all folds together: in one of them there may be no pair of notes
            rows.append([model, *cells, _pair(entry["pooled"]["repeated_errors"], None, ".3f")])
    return rows


def class_table(result):
    """Return the header and one row per label: F1 of each model, all folds together."""
    models = result["models"]
    rows = [["label", "notes", *models]]
    for label, entry in next(iter(models.values()))["classes"].items():
        own = [model["classes"].get(label, {}).get("f1") for model in models.values()]
        cells = ["-" if value is None else f"{value:.2f}" for value in own]
        rows.append([label, str(entry["support"]), *cells])
    return rows


def change_table(result):
    """Return the header and a row for each model but the first: the differences between them.

    They are taken fold by fold, so that folds may be hard or easy.
    """
    (_, first), *others = result["models"].items()
    rows = [["model", "what it is", *(head for head, _ in _CHANGES.values()), "fit (CPU), times"]]
    for model, entry in others:
        row = [model, entry["summary"]]
        for name, (_, spec) in _CHANGES.items():
            changes = [new[name] - old[name] for new, old in zip(entry["folds"], first["folds"])]
            row.append(_pair(mean(changes), stdev(changes) if changes[1:] else None, spec))
        ratio = entry["mean"]["fit_cpu_seconds"] / first["mean"]["fit_cpu_seconds"]
        rows.append([*row, f"{ratio:.2f}"])
    return rows


def instrument_table(result):
    """Return the header and one row per instrument: mean ± deviation of each model's accuracy."""
    models = result["models"]
    first = next(iter(models.values()))["instruments"]
    rows = [["instrument", "notes", *models]]
    for instrument, entry in first.items():
        cells = []
        for model in models.values():
            row = model["instruments"][instrument]
            cells.append(_pair(row["mean_accuracy"], row["std_accuracy"], ".3f"))
        rows.append([instrument, str(entry["n"]), *cells])
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
    text = (
        f"{task['dataset']}: {data['n_notes']:,} notes, {data['n_classes']} classes, "
        f"{data['n_groups']} groups, {data['n_instruments']} instruments; "
        f"{folds}, seed {settings['seed']}; "
        "mean ± standard deviation over folds"
    )
    return f"{text}. {', '.join(machines)}; commit {', '.join(commits)}."


# What a document may ask for → title, rows of a result
TABLES = {
    "scores": ("Scores", score_table),
    "levels": ("Accuracy on each level of the labels alone", level_table),
    "errors": ("Errors", error_table),
    "instruments": ("Accuracy on each instrument", instrument_table),
    "classes": ("F1 of each label", class_table),
    "changes": ("Differences from the first model", change_table),
    "costs": ("Cost", cost_table),
}


def as_text(rows):
    """Lay out rows of cells for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def as_markdown(rows):
    """Lay out rows of cells as a Markdown table."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def as_rst(rows):
    """Lay out rows of cells as a reStructuredText list-table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        cells = [r"\-" if cell == "-" else cell for cell in row]  # a bare hyphen begins a list
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(cells)]
    return "\n".join(lines)


def _cell(entry, name, spec):
    if name not in entry["mean"]:
        return "-"
    return _pair(entry["mean"][name], entry["std"][name], spec)


def _pair(value, std, spec):
    if value is None:
        return "-"
    return f"{value:{spec}}" + ("" if std is None else f" ± {std:{spec.removeprefix('+')}}")
