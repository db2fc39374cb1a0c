"""
One note, played well and with two faults
=========================================

What does a model say of one and the same note when it is played well, when it begins with breath,
and when its vibrato is uneven? Two trumpeters teach it eight labels; a third one, whom it never
heard, plays the note.
"""

# %%
# Notes of three trumpeters
# -------------------------
# The third one is set aside.

import matplotlib.pyplot as plt
import numpy as np

from sknote import Spectrogram, make_note_pipeline
from sknote.datasets import make_notes

sample_rate = 22050
labels = [
    "good-sound",
    "bad-attack",
    "bad-attack-air",
    "bad-pitch-stability",
    "bad-pitch-stability-vibrato",
    "bad-richness",
    "bad-timbre-stability",
    "bad-dynamics-stability",
]


def trumpet_notes(n_samples, labels, duration_range):
    return make_notes(
        n_samples,
        instruments="trumpet",
        labels=labels,
        class_imbalance=1,
        difficulty=0.75,
        duration_range=duration_range,
        sample_rate=sample_rate,
        random_state=3,
    )


notes = trumpet_notes(480, labels, (0.4, 1.6))
heard = (notes.frame.player != "trumpet-3").to_numpy()
print(notes.frame.player.value_counts().to_string())

# %%
# A model of the two others
# -------------------------

model = make_note_pipeline(classify__random_state=0)
model.fit(notes.data[heard], notes.target[heard])
accuracy = model.score(notes.data[~heard], notes.target[~heard])
print(f"Accuracy on the third player's {(~heard).sum()} notes: {accuracy:.2f}")

# %%
# The same note three times
# -------------------------
# With one seed, a row with another label is the same note with another fault: player, pitch,
# dynamic and duration stay as they are.

shown = {
    "good-sound": "played well",
    "bad-attack-air": "breath before the tone",
    "bad-pitch-stability-vibrato": "uneven vibrato",
}
takes = {label: trumpet_notes(60, [label], (1.2, 1.5)) for label in shown}
frame = takes["good-sound"].frame
row = int(np.flatnonzero((frame.player == "trumpet-3") & frame.midi.between(58, 64))[0])
versions = {label: take.data.iloc[[row]] for label, take in takes.items()}
answers = {label: model.predict_proba(note)[0] for label, note in versions.items()}
for label, proba in answers.items():
    print(f"{label:28} is heard as {model.classes_[proba.argmax()]} ({proba.max():.2f})")

# %%
# What it looks like
# ------------------
# Above, the spectrograms; below, the probability of each label, that of the true one in blue.

hop_length = 64
drawer = Spectrogram(sample_rate, scale="linear", n_fft=1024, hop_length=hop_length)
fig, axes = plt.subplots(2, 3, figsize=(10, 4.6), height_ratios=(1.25, 1), layout="constrained")
for (top, bottom), (label, title) in zip(axes.T, shown.items()):
    spectrogram = drawer.fit_transform(list(versions[label].audio))[0]
    peak = spectrogram.max()
    top.imshow(
        spectrogram.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=peak - 65,
        vmax=peak,
        extent=(0, len(spectrogram) * hop_length / sample_rate, 0, sample_rate / 2000),
    )
    top.set(ylim=(0, 6), xlim=(0, 1.2), xlabel="time (s)")
    top.set_title(title, fontsize=12)

    proba = dict(zip(model.classes_, answers[label]))
    places = range(len(labels))
    colours = ["#0072B2" if name == label else "#bbbbbb" for name in labels]
    bottom.barh(places, [proba[name] for name in labels], color=colours, height=0.7)
    for place, name in enumerate(labels):
        if proba[name] >= 0.005:
            bottom.text(proba[name] + 0.02, place, f"{proba[name]:.2f}", va="center", fontsize=9)
    bottom.set(xlim=(0, 1.15), xticks=[], yticks=places)
    bottom.set_yticklabels(labels if label == "good-sound" else [], fontsize=9)
    bottom.invert_yaxis()
    bottom.tick_params(left=False)
    bottom.spines[["top", "right", "bottom"]].set_visible(False)
axes[0, 0].set_ylabel("kHz")
for ax in axes[0, 1:]:
    ax.tick_params(labelleft=False)
plt.show()
