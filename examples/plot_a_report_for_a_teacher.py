"""
A report for a teacher
======================

A model hears the notes of a class, and its teacher asks: for whom, for which faults and for which
instruments may I believe it? Scores of folds that keep players whole answer that, put on a page by
:func:`~sknote.inspection.write_report` and drawn here by the displays that it is made of.
"""

# %%
# Answers about players that were not heard
# -----------------------------------------
# Synthetic notes of two instruments, with slight faults. Each note is answered by a model that
# heard none of its player.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupKFold, cross_val_predict

from sknote import make_note_pipeline
from sknote.datasets import make_notes
from sknote.inspection import (
    HierarchicalConfusionDisplay,
    RiskCoverageDisplay,
    ScoreBarsDisplay,
    write_report,
)

notes = make_notes(
    200,
    instruments=["clarinet", "violin"],
    labels=["good-sound", "bad-attack", "bad-attack-air", "bad-richness"],
    class_imbalance=1,
    duration_range=(0.3, 0.7),
    difficulty=1,
    random_state=0,
)
model = make_note_pipeline(classify__max_epochs=6, classify__random_state=0)
classes = np.unique(notes.target)
proba = cross_val_predict(
    model,
    notes.data,
    notes.target,
    groups=notes.frame.player,
    cv=GroupKFold(3),
    method="predict_proba",
)
answers = classes[proba.argmax(axis=1)]
print(f"{np.mean(answers == notes.target):.2f} of {len(answers)} notes are heard rightly")

# %%
# The page
# --------
# One HTML file: it can be sent, and opened on a phone.

path = write_report(
    "report.html",
    None,
    notes.data,
    notes.target,
    notes.frame.player,
    y_proba=proba,
    classes=classes,
    title="Clarinet and violin, players never heard",
)
print(f"{path} has {path.stat().st_size / 1e3:.0f} kB")

# %%
# What it shows
# -------------
# What is taken for what, how the instruments fare, and how many answers are wrong if only the
# surest are given.

fig, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4), width_ratios=(1.1, 0.9, 1), layout="constrained"
)
HierarchicalConfusionDisplay.from_predictions(notes.target, answers, ax=left, colorbar=False)
bars = ScoreBarsDisplay.from_predictions(notes.target, answers, by=notes.data.instrument, ax=middle)
risk = RiskCoverageDisplay.from_predictions(notes.target, proba, classes, ax=right)
plt.show()

# %%
# Conclusion
# ----------
# The teacher need not believe all or nothing: the half of the answers that the model is surest of
# is nearly always right, and the page says which instrument and which fault to listen to oneself.

half = risk.risk[np.searchsorted(risk.coverage, 0.5)]
print(f"Wrong, of the surest half: {half:.3f}; of all: {risk.risk[-1]:.3f}")
