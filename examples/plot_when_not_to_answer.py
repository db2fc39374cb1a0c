"""
When not to answer
==================

A model that must always name a label will name one of noise, of clicks, and of a fault that it
cannot tell from another. :class:`~sknote.confidence.SelectiveClassifier` answers with a label
where it is sure of it, with a node above the labels where it is only sure of that, and else with
``"unknown"``, and says why.
"""

# %%
# Notes of three flutists
# -----------------------
# Synthetic notes with slight faults, of which we know what they are. The third player is set
# aside.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sknote import NoteClassifier, make_note_pipeline
from sknote.confidence import SelectiveClassifier
from sknote.datasets import make_notes

notes = make_notes(
    400,
    instruments="flute",
    labels=["good-sound", "bad-attack", "bad-attack-air", "bad-richness"],
    class_imbalance=1,
    duration_range=(0.3, 0.8),
    difficulty=1.0,
    random_state=0,
)
unheard = (notes.frame.player == "flute-3").to_numpy()

# %%
# How sure it may be
# ------------------
# In ``fit``, clones of the classifier say what they think of notes whose group they did not hear.
# From this come a temperature, the threshold at which 19 answers of 20 are right, and how far
# from all others a note is that is none. Around the last step, it leaves the decoding to the
# pipeline; two folds are few, and quick.

selective = SelectiveClassifier(
    NoteClassifier(max_epochs=10, random_state=0), min_accuracy=0.95, cv=2
)
model = make_note_pipeline(classify=selective)
model.fit(notes.data[~unheard], notes.target[~unheard], classify__groups=notes.groups[~unheard])
print(f"An answer has to have a probability of {selective.threshold_:.2f}.")
print(selective.levels_.round(3))

# %%
# The third player
# ----------------
# Where only labels below ``bad-attack`` or ``bad`` are in doubt, that node is the answer; where
# good and bad are, as for most notes that this model is not sure of, there is none.

X, y = notes.data[unheard], notes.target[unheard]
table = model.predict_with_confidence(X)
right = selective.is_right(table, y)
answered = (table.answer != "unknown").to_numpy()
plain = np.mean(selective.classes_[model.predict_proba(X).argmax(axis=1)] == y)
print(table.groupby("level").size())
print(f"Always a label: {plain:.2f} right. Answers: {right[answered].mean():.2f} right, ", end="")
print(f"and {answered.mean():.2f} of the notes have one.")

# %%
# What is no note
# ---------------
# Nothing of this was in the training. Two notes at once are the hardest: they are made of notes.

rng = np.random.default_rng(0)
rate, n_samples = 22050, 15000
time = np.arange(n_samples) / rate
hiss = rng.normal(0.0, 0.1, n_samples)
pulses = 0.3 * (rng.random(n_samples) < 3e-4) * rng.normal(size=n_samples)
words = np.convolve(hiss, np.hanning(30), "same") * np.sin(2 * np.pi * 3 * time) ** 4
first, second = (X.audio.iloc[i][:6000] for i in (0, 5))
length = min(len(first), len(second))
strange = {
    "noise": hiss,
    "clicks": pulses,
    "whispered words": 0.1 * words,
    "two notes at once": first[:length] + second[:length],
}
sounds = pd.Series([one.astype(np.float32) for one in strange.values()], dtype=object)
sounds = pd.DataFrame({"audio": sounds, "instrument": "flute"})
answers = model.predict_with_confidence(sounds)
answers.index = list(strange)
print(answers[["answer", "reason"]])

# %%
# The fewer answers, the more of them are right
# ---------------------------------------------
# Notes in the order of their confidence, the surest first: how many labels are right among them.

confidence = model.predict_proba(X).max(axis=1)
order = np.argsort(-confidence)
is_label = selective.classes_[model.predict_proba(X).argmax(axis=1)] == y
share = np.arange(1, len(y) + 1) / len(y)
accuracy = np.cumsum(is_label[order]) / np.arange(1, len(y) + 1)

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(share, accuracy, color="#0072B2", linewidth=2.5)
ax.plot(answered.mean(), right[answered].mean(), "o", color="#D55E00", markersize=9)
ax.annotate(
    "answers, at any level",
    (answered.mean(), right[answered].mean()),
    xytext=(-12, 12),
    textcoords="offset points",
    ha="right",
    color="#D55E00",
    weight="bold",
)
ax.axhline(selective.min_accuracy, color="0.6", linewidth=1, linestyle="--")
ax.set(xlabel="share of the notes that get a label", ylabel="of them right", ylim=(0.5, 1.03))
ax.set_title("Notes of a player never heard before", loc="left", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Conclusion
# ----------
# Where a label would be a guess, there is a coarser answer or none, so that those that are given
# are right more often; and what is no note gets none. What is promised holds for notes like those
# of ``fit``, in groups that were not heard. Another player is more than another pitch: to promise
# something for players, let players be the groups.
