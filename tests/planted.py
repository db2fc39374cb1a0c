"""Notes with a fault, and where it lies: where they differ from the same notes without it."""

import contextlib
import copy

import numpy as np
import torch
from scipy.ndimage import maximum_filter, uniform_filter

from sknote.datasets import make_notes
from sknote.datasets.synthetic import _draws
from sknote.spectral import SpectralAxes, SpectrogramFrontend

# frames of 5.8 ms, quarter tones: windows short enough to tell 50 ms apart
AXES = SpectralAxes(n_fft=1024, hop_length=128)


@contextlib.contextmanager
def twins():
    """Collect each note that is made as it would be without its fault, with the same chances."""
    made, plans = [], []
    good_note, render = _draws.NoteSource.good_note, _draws.render

    def keep(self, *args):
        plans.append(good_note(self, *args))
        plans[-1], plan = copy.deepcopy(plans[-1]), plans[-1]
        return plan

    def twice(note, room, floor, rng):
        made.append(render(plans[-1], room, floor, copy.deepcopy(rng)))
        return render(note, room, floor, rng)

    _draws.NoteSource.good_note, _draws.render = keep, twice
    try:
        yield made
    finally:
        _draws.NoteSource.good_note, _draws.render = good_note, render


def planted_notes(n_samples, **params):
    """Make notes, and the same without their faults."""
    with twins() as made:
        notes = make_notes(n_samples, **params)
    return notes, made


def places_of(note, twin):
    """Tell which frames and bins of AXES are within 50 ms and a third of an octave of the fault.

    The fault is where means over 50 ms and a third of an octave differ by 6 dB or more, if one of
    them is within 50 dB of the loudest.
    """
    frontend = SpectrogramFrontend(AXES)
    levels = []
    for waveform in (note, twin):
        with torch.inference_mode():
            samples = torch.from_numpy(waveform)[None]
            decibels = frontend(samples, torch.tensor([len(waveform)]))[0][0].numpy()
        power = uniform_filter(10 ** (decibels / 10), (9, 8), mode="nearest")
        levels.append(10 * np.log10(power + 1e-12))
    loud = np.maximum(*levels)
    differs = (np.abs(levels[0] - levels[1]) >= 6) & (loud >= loud.max() - 50)
    return maximum_filter(differs, size=(2 * 9 + 1, 2 * 8 + 1))


def is_found(explanation, places):
    """Tell whether the middle of the cell that matters most lies in the fault."""
    row, column = np.unravel_index(explanation.importance.argmax(), explanation.importance.shape)
    second = explanation.times[row : row + 2].mean()
    hertz = np.sqrt(np.prod(np.maximum(explanation.bands[column : column + 2], AXES.f_min)))
    frame = min(round(second * AXES.frame_rate), len(places) - 1)
    return bool(places[frame, int(np.clip(round(float(AXES.positions(hertz))), 0, 199))])
