"""Results on standard output, in three forms; a progress bar on a terminal."""

import contextlib
import csv
import json
import sys
import threading
import unicodedata


def printable(text, keep=""):
    """Put escapes for control characters, but those to keep: a name may hold any.

    Lines stay lines, and a terminal does as it is told by nobody else.
    """
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in _CONTROL and one not in keep
        else one
        for one in text
    )


_CONTROL = ("Cc", "Zl", "Zp")


def make_writer(form, fields, as_text):
    """Return a function that writes a result, a dict with the given fields, to standard output.

    Of "csv" the header is written at once; "json-lines" leaves out what is None; "text" is what
    `as_text` makes of it, and nothing where that is None.
    """
    out = sys.stdout
    if form == "csv":
        writer = csv.DictWriter(out, fields, lineterminator="\n")
        writer.writeheader()
        return writer.writerow
    if form == "json-lines":
        return lambda row: print(
            json.dumps({name: value for name, value in row.items() if value is not None}), file=out
        )

    def write(row):
        if (text := as_text(row)) is not None:
            print(text, file=out)

    return write


def on_terminal():
    """Tell whether there is a terminal for a progress bar, which results would not tear apart."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def clock(text):
    """Show on a terminal for how long something goes on of which nobody knows how far it is."""
    if not on_terminal():
        yield
        return
    from tqdm import tqdm

    done = threading.Event()
    with tqdm(desc=text, bar_format="{desc}: {elapsed}", leave=False, file=sys.stderr) as bar:

        def tick():
            while not done.wait(1.0):
                bar.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextlib.contextmanager
def progress(total, unit):
    """Give a function that is told how many are done, and shows it on a terminal alone."""
    bar = None
    if on_terminal() and not sys.stdout.isatty():
        with contextlib.suppress(ImportError):  # where the runtime alone is installed
            from tqdm import tqdm

            bar = tqdm(total=total, unit=unit, file=sys.stderr)
    try:
        yield bar.update if bar is not None else lambda n: None
    finally:
        if bar is not None:
            bar.close()
