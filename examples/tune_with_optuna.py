"""
Tune the baseline, without fooling oneself
==========================================

Which settings of the classical baseline are good for our notes? ``OptunaSearch`` is used like
scikit-learn's own searches. It is given the groups, so no setting can win by recognizing a player.
"""

# %%
# Notes of ten players
# --------------------

import matplotlib.pyplot as plt
import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.model_selection import GroupShuffleSplit

from sknote import make_baseline_pipeline
from sknote.datasets import make_notes
from sknote.model_selection import OptunaSearch

notes = make_notes(
    200,
    instruments=["flute", "oboe"],
    labels=["good-sound", "bad-attack", "bad-richness", "bad-pitch-stability"],
    class_imbalance=2,
    duration_range=(0.3, 1.0),
    n_players=5,
    random_state=0,
)
player = notes.frame.player.to_numpy()

# %%
# Some players are kept for the end: the search never hears them.

split = GroupShuffleSplit(1, test_size=0.3, random_state=1)
train, test = next(split.split(notes.data, notes.target, player))

# %%
# The search
# ----------
# Parameters are named as in any scikit-learn pipeline. ``load`` learns nothing and is not tuned,
# so the search runs it once and not in every trial and fold.

search = OptunaSearch(
    make_baseline_pipeline(classify__random_state=0),
    {
        "mfcc__n_mfcc": IntDistribution(8, 24, step=8),
        "classify__learning_rate": FloatDistribution(0.02, 0.4, log=True),
        "classify__max_iter": IntDistribution(8, 32, log=True),
        "classify__min_samples_leaf": IntDistribution(2, 30, log=True),
    },
    n_trials=8,
    cv=3,
    random_state=0,
)
search.fit(notes.data.iloc[train], notes.target[train], groups=player[train])

# %%
# What it found
# -------------

results = search.cv_results_
order = results["rank_test_score"].argsort(kind="stable")
print("accuracy    n_mfcc  learning_rate  max_iter  min_samples_leaf")
for i in order[:5]:
    found = results["params"][i]
    print(
        f"{results['mean_test_score'][i]:.2f} ± {results['std_test_score'][i]:.2f}"
        f"{found['mfcc__n_mfcc']:9}{found['classify__learning_rate']:15.3f}"
        f"{found['classify__max_iter']:10}{found['classify__min_samples_leaf']:18}"
    )

# %%
# What that is worth
# ------------------
# The best score of a search is not the answer: it is the best of many, which flatters, and its
# models learned from two thirds of the players, which does the opposite. What counts is the score
# on the players that were kept apart, beside the same pipeline with its default settings.

default = make_baseline_pipeline(classify__random_state=0)
default.fit(notes.data.iloc[train], notes.target[train])
scores = {
    "the best in the search": search.best_score_,
    "tuned, on the other players": search.score(notes.data.iloc[test], notes.target[test]),
    "default, on the other players": default.score(notes.data.iloc[test], notes.target[test]),
}
for name, score in scores.items():
    print(f"{name:30} {score:.2f}")

# %%
# Each dot is a fold of a trial, each diamond the mean of a trial.

fig, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
trials = np.arange(len(results["params"]))
for fold in range(3):
    ax.plot(trials, results[f"split{fold}_test_score"], "o", color="#0072B2", alpha=0.3)
ax.plot(trials, results["mean_test_score"], "D", color="#0072B2", markersize=8)
for name, colour, side in (
    ("tuned, on the other players", "#D55E00", "bottom"),
    ("default, on the other players", "#555555", "top"),
):
    ax.axhline(scores[name], color=colour, linewidth=1.5)
    ax.text(len(trials) - 0.6, scores[name], name, color=colour, va=side, ha="right", weight="bold")
ax.set(xlabel="trial", ylabel="accuracy", xticks=trials)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
