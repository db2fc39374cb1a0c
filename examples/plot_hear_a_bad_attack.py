"""
Where does the network hear a bad attack?
=========================================

A model that calls an attack bad ought to hear it in the attack, and not in something else that
happens to go with it, such as the noise of one player's room. So we train on two players, listen
to a third, and then take the beginnings of that player's notes away: once the attack is gone, a
badly begun note should sound like any other.
"""

# %%
# Notes of three clarinettists
# ----------------------------
# Synthetic notes, so that we know what is wrong with each: ``bad-attack`` speaks late and slowly
# out of breath noise, ``bad-attack-air`` begins with a long breath. The third player is set aside.

import matplotlib.pyplot as plt
import numpy as np

from sknote import Spectrogram, make_note_pipeline
from sknote.datasets import make_notes
from sknote.inspection import explain_note

sample_rate = 22050
notes = make_notes(
    240,
    instruments="clarinet",
    labels=["good-sound", "bad-attack", "bad-attack-air"],
    class_imbalance=1,
    duration_range=(0.4, 1.2),
    sample_rate=sample_rate,
    random_state=0,
)
unheard = (notes.frame.player == "clarinet-3").to_numpy()
print(notes.frame.groupby("player").label.value_counts().unstack())

# %%
# Train on two players, judge the third
# -------------------------------------

model = make_note_pipeline(classify__max_epochs=12, classify__random_state=0)
model.fit(notes.data[~unheard], notes.target[~unheard])

X, y = notes.data[unheard], notes.target[unheard]
accuracy = model.score(X, y)
print(f"Accuracy on the third player's {len(y)} notes: {accuracy:.2f}")

# %%
# Take the attack away
# --------------------
# The rest of the note fades in over 30 ms, as a good attack does: a hard cut would be a fault of
# its own. The probabilities of the two faults add up to that of the quality "bad".


def without_beginning(waveform, seconds, fade=0.03):
    rest = waveform[round(seconds * sample_rate) :].copy()
    n_fade = round(fade * sample_rate)
    rest[:n_fade] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(n_fade) / n_fade)
    return rest


def probability_of_bad(waveforms):
    proba = model.predict_proba(X.assign(audio=waveforms))
    proba, values = notes.hierarchy.roll_up_proba(proba, model.classes_, "quality")
    return proba[:, list(values).index("bad")]


cuts = np.arange(0, 0.36, 0.03)  # seconds
bad = [probability_of_bad([without_beginning(w, cut) for w in X.audio]) for cut in cuts[1:]]
bad = np.array([probability_of_bad(X.audio), *bad])  # one row a cut, the whole notes first
is_bad = y != "good-sound"

# %%
# What it looks like
# ------------------

fig = plt.figure(figsize=(10, 4.4), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=(1, 1.15))

seconds, kilohertz = 0.6, 6  # what is shown of a spectrogram
drawer = Spectrogram(sample_rate, scale="linear", n_fft=1024, hop_length=64)
axes = left.subplots(2, 1, sharex=True)
for ax, label in zip(axes, ["good-sound", "bad-attack-air"]):
    # the longest of the low notes, whose partials lie close together
    rows = np.flatnonzero((y == label) & (notes.frame.midi[unheard] < 65))
    spectrogram = drawer.fit_transform([max(X.audio.iloc[rows], key=len)])[0]
    peak = spectrogram.max()
    ax.imshow(
        spectrogram.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=peak - 60,
        vmax=peak,
        extent=(0, len(spectrogram) * 64 / sample_rate, 0, sample_rate / 2000),
    )
    ax.set(xlim=(0, seconds), ylim=(0, kilohertz), ylabel="kHz")
    ax.set_title(label, loc="left", fontsize=11)
axes[1].set_xlabel("time (s)")

ax = right.subplots()
for rows, name, colour, height in (
    (is_bad, f"{is_bad.sum()} badly begun notes", "#D55E00", 0.93),
    (~is_bad, f"{(~is_bad).sum()} good notes", "#0072B2", 0.05),
):
    ax.plot(cuts, bad[:, rows], color=colour, alpha=0.15, linewidth=1)
    ax.plot(cuts, np.median(bad[:, rows], axis=1), "o-", color=colour, linewidth=2.5)
    ax.text(cuts[-1], height, name, color=colour, ha="right", va="bottom", weight="bold")
ax.set(
    xlabel="taken away from the beginning (s)",
    ylabel="probability of a bad attack",
    ylim=(-0.03, 1.03),
)
ax.set_title("Each note of a player never heard before, and the median", loc="left", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Where in each note
# ------------------
# :func:`~sknote.inspection.explain_note` asks the same of any note without a script: it hides parts
# of it, in time and frequency, behind the note's own noise.

for waveform in X.audio[is_bad][:5]:
    print(explain_note(model, waveform, "clarinet").sentence)

# %%
# Conclusion
# ----------
# The verdict is lost with the attack, and only for the notes that deserved it: the network has
# learned to listen where the fault is, and it does so with a player that it never heard. Had it
# learned to tell rooms or levels, the curves would not have moved.

left_over = np.median(bad[-1, is_bad])
print(f"Median probability of a bad attack, whole note: {np.median(bad[0, is_bad]):.2f}")
print(f"... without its first {cuts[-1]:.2f} s: {left_over:.2f}")
