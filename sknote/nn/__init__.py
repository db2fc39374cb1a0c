"""The torch side: networks, what they are made of, and what varies notes in training.

`descriptors` computes what is told of a note once, `networks` classifies, `training` trains, and
`NoteModel` is all that lies between a waveform and probabilities. Spectrograms are made in
:mod:`sknote.spectral`.
"""

from sknote.nn._model import NoteModel
from sknote.nn.descriptors import describe_notes
from sknote.nn.networks import (
    CompactNet,
    EnsembleHead,
    MaskedBatchNorm2d,
    NoteAnalyzer,
    NoteNetwork,
    SimpleStarterModel,
    attack_frames,
)
from sknote.nn.training import PretrainedWeights, RecordingAugment, SpectrogramAugment
from sknote.spectral._lengths import frame_mask

__all__ = [
    "CompactNet",
    "EnsembleHead",
    "MaskedBatchNorm2d",
    "NoteAnalyzer",
    "NoteModel",
    "NoteNetwork",
    "PretrainedWeights",
    "RecordingAugment",
    "SimpleStarterModel",
    "SpectrogramAugment",
    "attack_frames",
    "describe_notes",
    "frame_mask",
]
