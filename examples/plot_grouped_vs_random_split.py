"""
How much does a random split flatter?
=====================================

Data sets of notes are full of near-copies: good-sounds recorded each performance with up to three
microphones, and most published scores on it come from random splits, which put one microphone's
take in training and another's in the test. How far from the truth is such a score? Here the truth
is known: new performances can be had for the asking.
"""

# %%
# Performances, and three takes of each
# -------------------------------------
# A microphone is a gain, a cut-off frequency and a noise floor.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score

from sknote import MFCCSummary
from sknote.datasets import make_notes

sample_rate = 22050
microphones = [(1.0, 11000, 1e-4), (0.7, 7000, 3e-4), (1.4, 4000, 6e-4)]


def record(performance, gain, cutoff, noise, rng):
    spectrum = np.fft.rfft(performance)
    frequencies = np.fft.rfftfreq(len(performance), 1 / sample_rate)
    spectrum *= gain / np.sqrt(1 + (frequencies / cutoff) ** 2)
    take = np.fft.irfft(spectrum, len(performance))
    return take + noise * rng.standard_normal(len(take))


notes = make_notes(
    800,
    instruments="clarinet",
    labels=[
        "good-sound",
        "bad-attack",
        "bad-richness",
        "bad-pitch-stability",
        "bad-timbre-stability",
        "bad-dynamics-stability",
    ],
    class_imbalance=1,
    duration_range=(0.3, 1.0),
    difficulty=0.6,
    sample_rate=sample_rate,
    random_state=0,
)
rng = np.random.default_rng(0)
takes = [record(note, *mic, rng) for note in notes.data.audio for mic in microphones]
X = MFCCSummary(sample_rate).fit_transform(takes)
y = np.repeat(notes.target, len(microphones))
performance = np.repeat(np.arange(len(notes.target)), len(microphones))

# %%
# Two ways to score one model
# ---------------------------
# Half of the performances is the data set that we have. The same model is cross-validated on it
# twice: by a random split of the takes, and by a split that keeps all takes of a performance
# together.

ours = performance < 400
model = ExtraTreesClassifier(100, random_state=0)
scores = {
    "random split": cross_val_score(
        model, X[ours], y[ours], cv=StratifiedKFold(5, shuffle=True, random_state=0)
    ),
    "grouped split": cross_val_score(
        model,
        X[ours],
        y[ours],
        groups=performance[ours],
        cv=StratifiedGroupKFold(5, shuffle=True, random_state=0),
    ),
}

# %%
# The truth
# ---------
# The other half are performances that nobody has seen: five batches of 80.

model.fit(X[ours], y[ours])
batches = np.array_split(np.flatnonzero(~ours), 5)
scores["new performances"] = np.array([model.score(X[rows], y[rows]) for rows in batches])

# %%
# What it looks like
# ------------------

fig, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
truth = scores["new performances"].mean()
ax.axvline(truth, color="#999999", linewidth=1, zorder=0)
colours = ("#D55E00", "#0072B2", "#555555")
for i, (score, colour) in enumerate(zip(scores.values(), colours)):
    ax.plot(score, np.full(len(score), i), "o", color=colour, alpha=0.3, markersize=6)
    ax.plot(score.mean(), i, "D", color=colour, markersize=10)
    ax.annotate(
        f"{score.mean():.2f}",
        (score.mean(), i),
        (0, 12),
        textcoords="offset points",
        ha="center",
        color=colour,
        weight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
ax.set(yticks=range(len(scores)), yticklabels=scores, ylim=(len(scores) - 0.5, -0.6))
ax.set(xlim=(0.45, 1.0), xlabel="accuracy (each of five parts, and their mean)")
ax.tick_params(axis="y", length=0)
ax.spines[["top", "right", "left"]].set_visible(False)
plt.show()

# %%
# Conclusion
# ----------
# The random split answers another question: whether a note is recognized of which the model
# already has another take. The grouped split tells what to expect of new performances. That is
# why every split in sknote is by group.

for name, score in scores.items():
    print(f"{name:17} {score.mean():.2f} (off by {score.mean() - truth:+.2f})")
