"""Draw the pictures that the README and the first page show: ``python docs/make_pictures.py``.

They are figures of the examples, as files in ``docs/_static``. To be run again when the default
model or one of these examples has changed; the gallery draws its own.
"""

import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

DOCS = Path(__file__).parent
EXAMPLES = ("plot_one_note_three_ways", "plot_grouped_vs_random_split")


def main():
    matplotlib.use("Agg")
    for name in EXAMPLES:
        path = DOCS / "_static" / f"{name}.png"
        plt.show = lambda path=path: plt.savefig(path, dpi=100)
        runpy.run_path(str(DOCS.parent / "examples" / f"{name}.py"))
        plt.close("all")


if __name__ == "__main__":
    main()
