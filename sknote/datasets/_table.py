"""Read a table of recordings from a CSV file; needs neither pandas nor scikit-learn."""

import csv
import io
import itertools
import re

from sknote._files import open_plain
from sknote._input.choices import did_you_mean

_SEPARATORS = (",", ";", "\t")  # of programs in all languages


def read_table(path, needed, *, caller):
    """Return the columns of a CSV file as lists of str by name, without blanks around the cells.

    Separators are commas, semicolons or tabs: whatever the first line has most of. A file that is
    no table, or lacks one of the columns that are `needed`, is a ValueError whose first word is
    `caller`.
    """
    try:
        with (
            open_plain(path, follow=True) as held,
            io.TextIOWrapper(held, encoding="utf-8-sig", newline="") as file,
        ):
            first = file.readline()
            n_skipped = 0
            if first.lower().startswith("sep=") and len(first.strip()) <= 5:  # a note for Excel
                first, n_skipped = file.readline(), 1
            separator = max(_SEPARATORS, key=first.count)
            reader = csv.reader(itertools.chain([first], file), delimiter=separator, strict=True)
            names = _without_end([name.strip() for name in next(reader, [])])
            _check_names(names, needed, path, caller)
            columns = {name: [] for name in names}
            for row in reader:
                cells = _without_end([cell.strip() for cell in row])
                cells += [""] * (min(len(row), len(names)) - len(cells))
                if not any(cells):
                    continue
                if len(cells) != len(names):
                    raise ValueError(
                        f"{caller}: expected {len(names)} cells in each row of {str(path)!r}, got "
                        f"{len(cells)} in line {reader.line_num + n_skipped}. Put quotes around "
                        f"cells that contain {separator!r}."
                    )
                for name, cell in zip(names, cells):
                    columns[name].append(cell)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{caller}: expected a table in {str(path)!r}, got a file that cannot be read as one "
            f"({error}). Save it as CSV, in UTF-8."
        ) from error
    return columns


def whole_number(cell):
    """Leave out the fraction of a whole number, which programs add to columns with empty cells."""
    match = re.fullmatch(r"([+-]?[0-9]+)[.,]0+", cell)
    return match[1] if match else cell


def _without_end(cells):
    """Leave out empty cells at the end, which spreadsheets add."""
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _check_names(names, needed, path, caller):
    missing = [name for name in needed if name not in names]
    if missing:
        what = "the columns" if len(needed) > 1 else "the column"
        raise ValueError(
            f"{caller}: expected {what} {', '.join(needed)} in {str(path)!r}, got "
            f"{', '.join(map(repr, names)) or 'an empty file'}. Name the column "
            f"{missing[0]!r} in the first line.{did_you_mean(missing[0], names)}"
        )
    if len(set(names)) < len(names):
        raise ValueError(
            f"{caller}: expected one column of each name in {str(path)!r}, got "
            f"{', '.join(map(repr, names))}."
        )
