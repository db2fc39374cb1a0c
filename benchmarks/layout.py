"""Results on paper: tables in three forms, pictures in files, and what a command prints."""

import os

from benchmarks.results import write_result

# Okabe and Ito's colours: told apart by everyone
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")


def as_text(rows):
    """Lay out rows of cells for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for name, *cells in rows:
        right = [cell.rjust(width) for cell, width in zip(cells, widths[1:])]
        lines.append("  ".join([name.ljust(widths[0]), *right]))
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def as_markdown(rows):
    """Lay out rows of cells as a Markdown table."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def as_rst(rows):
    """Lay out rows of cells as a reStructuredText table, one line a row."""
    lines = [".. csv-table::", "   :header-rows: 1", ""]
    for row in rows:
        cells = [r"\-" if cell == "-" else cell for cell in row]  # a bare hyphen begins a list
        lines.append("   " + ", ".join(f'"{cell}"' for cell in cells))
    return "\n".join(lines)


def mean_and_std(value, std, spec):
    """Write a mean and its standard deviation, either of which may be None."""
    if value is None:
        return "-"
    return f"{value:{spec}}" + ("" if std is None else f" ± {std:{spec.removeprefix('+')}}")


def measured_on(environment):
    """Say which processor and which commit a result is of."""
    return f"{environment['machine']['processor']}; commit {environment['commit']}."


def new_figure(width, height, title, **panels):
    """Return a figure (inches) and its axes, as ``Figure.subplots(1, 2, **panels)`` makes them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, **{"ncols": 2} | panels)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.set_axisbelow(True)
    if title:
        figure.suptitle(title, fontsize=12)
    return figure, axes


def publish(result, path, shown):
    """Write a result's file, print its tables and draw its picture.

    `shown` is the module that knows the kind of result: ``TABLES`` (what a document may ask for →
    title, function of the result that returns rows of cells), ``caption(result)`` and, where there
    is a picture, ``draw(result, path)``.
    """
    write_result(path, result)
    print(f"\n{shown.caption(result)}\n")
    for title, table in shown.TABLES.values():
        if len(rows := table(result)) > 1:
            print(f"{title}:\n{as_text(rows)}\n")
    print(f"Result: {path}")
    draw_into(path.with_suffix(".png"), result, shown)


def draw_into(path, result, shown):
    """Draw the picture of a result, if there is one of its kind."""
    if not hasattr(shown, "draw"):
        return
    unfinished = path.with_name(f".{os.getpid()}.png")
    try:
        shown.draw(result, unfinished)
    except ImportError:
        print("No picture: matplotlib is not installed (pip install 'sknote[report]').")
    else:
        os.replace(unfinished, path)
        print(f"Picture: {path}")


def print_remarks(task, warnings):
    """Print what cannot be read, and the warnings (dict of str to list) of whom there were."""
    if task["data"]["unreadable"]:
        print(f"Not readable, and taken for silence: {', '.join(task['data']['unreadable'])}")
    remarks = [text for text in task["warnings"] if "could not be decoded" not in text]
    remarks += [f"{name}: {text}" for name, texts in warnings.items() for text in texts]
    for text in remarks[:10]:
        print(f"Remark: {text}")
    if len(remarks) > 10:
        print(f"... and {len(remarks) - 10} more in the result's file.")
