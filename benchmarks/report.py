"""Put the numbers of benchmarks/results into README.md and docs/, so that none is typed by hand.

A document marks a place by a pair of comments: in Markdown ``<!-- results:NAME -->`` and
``<!-- /results -->``, in reStructuredText ``.. results:NAME`` and ``.. /results``. What stands
between them becomes the table of scores in ``NAME.json``. The other tables are ``NAME/levels``,
``NAME/errors``, ``NAME/instruments``, ``NAME/classes``, ``NAME/changes`` and ``NAME/costs`` of a
comparison, ``NAME/parameters`` and ``NAME/costs`` of a search, ``NAME/aims``, ``NAME/step``,
``NAME/profile`` and ``NAME/operators`` of ``speed``.
"""

import difflib
import json
import re
from pathlib import Path

from benchmarks import overhead, scale, show, show_speed, show_tune
from benchmarks.cli import BenchmarkError
from benchmarks.run import RESULTS

ROOT = Path(__file__).resolve().parents[1]
_MARKERS = {
    ".md": r"(<!-- results:(?P<name>\S+) -->\n).*?(<!-- /results -->)",
    ".rst": r"(\.\. results:(?P<name>\S+)\n).*?(\.\. /results\b)",
}


def add_arguments(parser):
    """Define the options of the command."""
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if a document is out of date"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")


def main(args):
    """Run the command; returns its exit status."""
    documents = [args.root / "README.md", *sorted((args.root / "docs").rglob("*.md"))]
    documents += sorted((args.root / "docs").rglob("*.rst"))
    stale = []
    for path in filter(Path.is_file, documents):
        before = path.read_text(encoding="utf-8")
        after = fill(before, path.suffix, args.results)
        if after == before:
            continue
        stale.append(path)
        if args.check:
            lines = difflib.unified_diff(
                before.splitlines(), after.splitlines(), str(path), "results", lineterm=""
            )
            print("\n".join(lines))
        else:
            path.write_text(after, encoding="utf-8")
            print(f"Updated {path}")
    if args.check and stale:
        print("Out of date; run: python -m benchmarks report")
        return 1
    return 0


def fill(text, suffix, results):
    """Return a document with its tables brought up to date.

    Parameters
    ----------
    text : str
    suffix : {".md", ".rst"}
    results : Path
        Folder of the results.

    Returns
    -------
    str
    """

    def table(match):
        return f"{match[1]}\n{_table(match['name'], suffix, results)}\n\n{match[3]}"

    return re.sub(_MARKERS[suffix], table, text, flags=re.DOTALL)


def _table(place, suffix, results):
    name, _, kind = place.partition("/")
    path = results / f"{name}.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    shown = _shown(result)
    if not result or (kind or "scores") not in shown.TABLES:
        known = ", ".join(sorted(path.stem for path in results.glob("*.json"))) or "none"
        raise BenchmarkError(
            f"a document asks for results:{place}. Results: {known}. Tables of "
            f"{name if result else 'a comparison'}: {', '.join(shown.TABLES)}."
        )
    layout = show.as_markdown if suffix == ".md" else show.as_rst
    return f"{layout(shown.TABLES[kind or 'scores'][1](result))}\n\n{shown.caption(result)}"


def _shown(result):
    """Return the module that knows the tables of a result."""
    if "space" in result:
        return show_tune
    if "speed" in result:
        return show_speed
    if "slopes" in result:
        return scale
    return overhead if "limit" in result else show
