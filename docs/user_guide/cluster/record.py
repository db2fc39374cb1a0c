"""Write synthetic notes as sound files, and a table of them: python record.py"""

from pathlib import Path

import soundfile

from sknote.datasets import make_notes

folder = Path("recordings").resolve()
folder.mkdir(exist_ok=True)
labels = ["good-sound", "bad-attack"]
notes = make_notes(60, labels=labels, duration_range=(0.3, 1), random_state=0)
table = notes.data.assign(label=notes.target, group=notes.groups)
for row, waveform in table["audio"].items():
    soundfile.write(folder / f"{row}.wav", waveform, 22050)
table["audio"] = [str(folder / f"{row}.wav") for row in table.index]
table.to_csv(folder / "table.csv", index=False)
