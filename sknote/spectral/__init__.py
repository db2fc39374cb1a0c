"""Spectrograms in torch: what their axes mean, and how they are computed from waveforms.

Nothing here knows of scikit-learn or of networks; :class:`~sknote.Spectrogram` makes a transformer
of it, and :class:`~sknote.nn.NoteModel` the first part of a model. `SpectralAxes` does without
torch.
"""

from sknote._lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "SpectralAxes": "._axes",
        "SpectrogramFrontend": "._frontend",
        "compute_spectrograms": "._frontend",
    },
)
