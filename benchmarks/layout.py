"""Results on paper: tables in three forms, pictures in files, and what a command prints."""

from tabulate import tabulate

from benchmarks.results import write_result

# Okabe and Ito's colours: told apart by everyone
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")


def table(head, rows, columns):
    """Return rows of cells, the header first.

    `rows` maps names to numbers, texts, pairs of a mean and its standard deviation, or triples of a
    mean and the ends of its interval; `columns` maps which of them are shown to a heading and a
    format.
    """
    cells = [[head, *(heading for heading, _ in columns.values())]]
    for name, row in rows.items():
        cells.append([name, *(_cell(row.get(key), spec) for key, (_, spec) in columns.items())])
    return cells


def _cell(value, spec):
    value, *more = value if isinstance(value, tuple) else (value, None)
    std = more[0]
    if value is None:
        return "-"
    text = f"{value:{spec}}".removesuffix("%")  # the heading says it
    if more[1:]:
        return f"{text} ({' to '.join(f'{end:{spec}}' for end in more)})"
    return text if std is None else f"{text} ± {std:{spec.removeprefix('+')}}"


def number(value):
    """Write a number with three digits, and no exponent."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.3g}"


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
        cells = [cell.replace('"', '""') for cell in cells]
        lines.append("   " + ", ".join(f'"{cell}"' for cell in cells))
    return "\n".join(lines)


def describe_data(data, *more):
    """Say how many notes, classes and groups there are, and more of what is counted."""
    return ", ".join(f"{data[f'n_{n}']:,} {n}" for n in ("notes", "classes", "groups", *more))


def measured_on(environment):
    """Say which processor and which commit a result is of."""
    return f"{environment['machine']['processor']}; commit {environment['commit']}."


def new_figure(width, height, title=None, **panels):
    """Return a figure (inches) and its axes, as ``Figure.subplots(1, 2, **panels)`` makes them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots(1, **{"ncols": 2} | panels)


def publish(result, path, shown):
    """Write a result's file, print its tables and draw its picture.

    `shown` has ``TABLES`` (name in documents → title, function of the result that returns rows of
    cells), ``caption(result)`` and, where there is a picture, ``draw(result, path)``.
    """
    write_result(path, result)
    print(f"\n{shown.caption(result)}\n")
    for title, rows_of in shown.TABLES.values():
        if len(rows := rows_of(result)) > 1:
            print(f"{title}:\n{tabulate(rows, headers='firstrow', disable_numparse=True)}\n")
    print(f"Result: {path}")
    draw_into(path.with_suffix(".png"), result, shown)


def draw_into(path, result, shown):
    """Draw the picture of a result, if there is one of its kind."""
    try:
        if hasattr(shown, "draw"):
            shown.draw(result, path)
            print(f"Picture: {path}")
    except ImportError:
        print("No picture: matplotlib is not installed (pip install 'sknote[report]').")


def print_remarks(task, warnings):
    """Print warnings: of the data, of what cannot be read too, and of models (name → list)."""
    for name, texts in ({"data": task["warnings"]} | warnings).items():
        for text in texts:
            print(f"Remark on {name}: {text}")
