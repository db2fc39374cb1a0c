"""Put the numbers of benchmarks/results into README.md and docs/, so that none is typed by hand.

A document marks a place by a pair of comments: in Markdown ``<!-- results:NAME -->`` and
``<!-- /results -->``, in reStructuredText ``.. results:NAME`` and ``.. /results``. What stands
between them becomes the table of scores in ``NAME.json``; ``NAME/TABLE`` is another one of its
tables, of those that the module of its kind lists in ``TABLES``.

``--pages FOLDER`` writes a page (`sknote.inspection.write_report`) for each model of a comparison
whose answers are still kept where it ran.
"""

import re
from pathlib import Path

from benchmarks import (
    conditions,
    files,
    layout,
    live,
    overhead,
    pages,
    passages,
    repeats,
    run,
    scale,
    several_notes,
    show_speed,
    sizes,
    trust,
    tune,
    web,
)
from benchmarks.cli import RESULTS, SHARED, BenchmarkError
from benchmarks.results import read_result

ROOT = Path(__file__).resolve().parents[1]
# Kind of a result → the module that knows its tables
SHOWN = {
    "comparison": run,
    "conditions": conditions,
    "files": files,
    "live": live,
    "overhead": overhead,
    "passages": passages,
    "repeats": repeats,
    "scale": scale,
    "search": tune,
    "several_notes": several_notes,
    "sizes": sizes,
    "speed": show_speed,
    "trust": trust,
    "web": web,
}
_MARKERS = {
    ".md": r"(<!-- results:(?P<name>\S+) -->\n).*?(<!-- /results -->)",
    ".rst": r"(\.\. results:(?P<name>\S+)\n).*?(\.\. /results\b)",
}
OPTIONS = {
    "--check": (bool, False, "change nothing; fail if a document is out of date"),
    "--pictures": (bool, False, "draw the pictures of all results again, too"),
    "--pages": (Path, None, "folder for a page (HTML) of each model whose answers are kept"),
    "--cache-dir": SHARED["--cache-dir"],
    "--root": (Path, ROOT, "the project's folder"),
    "--results": (Path, RESULTS, "folder of the results"),
}


def main(args):
    """Run the command; returns its exit status."""
    for path in sorted(args.results.glob("*.json")) if args.pictures else ():
        result = read_result(path)
        layout.draw_into(path.with_suffix(".png"), result, SHOWN[result["kind"]])
    if args.pages is not None:
        _write_pages(args)
    is_stale = False
    found = [path for suffix in _MARKERS for path in (args.root / "docs").rglob(f"*{suffix}")]
    for path in [*args.root.glob("README.md"), *sorted(found)]:
        before = path.read_text(encoding="utf-8")
        after = fill(before, path.suffix, args.results)
        if after == before:
            continue
        is_stale = True
        print(f"{'Out of date' if args.check else 'Updated'}: {path}")
        if not args.check:
            path.write_text(after, encoding="utf-8")
    return int(args.check and is_stale)


def _write_pages(args):
    for path in sorted(args.results.glob("*.json")):
        result = read_result(path)
        if result["kind"] != "comparison":
            continue
        for page in pages.write_pages(args.pages, args.cache_dir, path.stem, result):
            print(f"Written: {page}")


def fill(text, suffix, results):
    """Return a document (text of a file that ends in `suffix`) with its tables up to date."""

    def table(match):
        return f"{match[1]}\n{_table(match['name'], suffix, results)}\n\n{match[3]}"

    return re.sub(_MARKERS[suffix], table, text, flags=re.DOTALL)


def _table(place, suffix, results):
    name, _, table = place.partition("/")
    try:
        result = read_result(results / f"{name}.json")
        shown = SHOWN[result["kind"]]
        _, rows_of = shown.TABLES[table or "scores"]
    except (OSError, KeyError) as error:
        raise BenchmarkError(f"a document asks for results:{place}; there is no {error}") from error
    lay_out = layout.as_markdown if suffix == ".md" else layout.as_rst
    return f"{lay_out(rows_of(result))}\n\n{shown.caption(result)}"
