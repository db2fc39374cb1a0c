"""
What did the network hear in a note?
====================================

A teacher who hears "bad attack" wants to know where. :func:`~sknote.inspection.explain_note` hides
parts of a note, in time and frequency, and asks the model again: what it misses most is what it
heard. Here the faults are synthetic, so we know where they are.
"""

# %%
# A model of two players' notes
# -----------------------------
# Breath at the attack, breath at the end, and an attack that is too strong; the third player's
# notes are set aside.

import matplotlib.pyplot as plt
import numpy as np

from sknote import make_note_pipeline
from sknote.datasets import make_notes
from sknote.inspection import explain_note

notes = make_notes(
    240,
    instruments="clarinet",
    labels=["good-sound", "bad-attack-air", "bad-air-end", "bad-attack-too-strong"],
    class_imbalance=1,
    duration_range=(0.6, 1.2),
    difficulty=0.3,
    random_state=0,
)
unheard = (notes.frame.player == "clarinet-3").to_numpy()
model = make_note_pipeline(classify__max_epochs=30, classify__random_state=0)
model.fit(notes.data[~unheard], notes.target[~unheard])

X, y = notes.data[unheard], notes.target[unheard]
print(f"Accuracy on the third player's {len(y)} notes: {model.score(X, y):.2f}")

# %%
# One note of each fault
# ----------------------
# The note is grey. What speaks for the label is orange, what speaks against it blue.

faults = ["bad-attack-air", "bad-attack-too-strong", "bad-air-end"]
explanations = {}
for fault in faults:
    row = np.flatnonzero(y == fault)[0]
    explanations[fault] = explain_note(model, X.audio.iloc[row], "clarinet", label=fault)

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for ax, explanation in zip(axes, explanations.values()):
    explanation.plot(ax)
plt.show()

# %%
# In words, and to listen to
# --------------------------
# ``to_audio`` keeps the cells that mattered most, a tenth of all, and silences the rest: in a
# notebook, ``IPython.display.Audio(sound, rate=sample_rate)`` plays it.

for explanation in explanations.values():
    sound, sample_rate = explanation.to_audio()
    heard = np.flatnonzero(np.abs(sound) > 0.1 * np.abs(sound).max()) / sample_rate
    print(explanation.sentence)
    print(f"   The sound lasts from {heard[0]:.2f} to {heard[-1]:.2f} s.")

# %%
# Conclusion
# ----------
# Breath before the tone is heard in the attack, and breath after it at the end: the network listens
# where the faults are, with a player that it never heard. In the last note the beginning counts,
# too: it is that no fault was heard there which leaves the end. An explanation says what a model
# heard, not whether it is right: where an answer is wrong, look at what misled it.
