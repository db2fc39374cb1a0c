"""Train the model that the page shows what it can do with: on synthetic notes alone.

    python examples/web/train_demo.py demo.sknote

The same command gives the same model: everything is seeded. It takes some minutes.
"""

import argparse

from sknote import make_note_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.datasets import make_notes
from sknote.deploy import save

LABELS = (
    "good-sound",
    "bad-attack",
    "bad-attack-air",
    "bad-pitch-stability",
    "bad-dynamics-stability",
    "bad-timbre-stability",
    "bad-richness",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", help="the file of the model")
    parser.add_argument("--notes", type=int, default=700, help="how many (default: 700)")
    parser.add_argument("--epochs", type=int, default=8, help="of each fit (default: 8)")
    options = parser.parse_args()
    notes = make_notes(
        options.notes,
        labels=LABELS,
        duration_range=(0.15, 2.5),
        class_imbalance=2.0,
        difficulty=0.3,
        random_state=0,
    )
    pipeline = make_note_pipeline(classify__max_epochs=options.epochs, classify__random_state=0)
    model = SelectiveClassifier(pipeline, notes.hierarchy, min_accuracy=0.9, cv=3)
    model.fit(notes.data, notes.target, groups=notes.groups)
    print(f"wrote {save(model, options.path)}")


if __name__ == "__main__":
    main()
