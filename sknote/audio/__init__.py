"""Pure functions on sound: decoding, resampling, effects on waveforms, and the notes in them.

`NoteSegmenter` and `segment_notes` are public; the rest is what other rooms of sknote share.
"""

from sknote.audio._array import from_array as from_array
from sknote.audio._decode import decode as decode
from sknote.audio._effects import add_noise as add_noise
from sknote.audio._effects import pitch_shift as pitch_shift
from sknote.audio._effects import time_stretch as time_stretch
from sknote.audio._heard import heard as heard
from sknote.audio._read import read_audio as read_audio
from sknote.audio._read import waveforms_or_error as waveforms_or_error
from sknote.audio._samples import resample as resample
from sknote.audio._samples import to_mono as to_mono
from sknote.audio.segmentation import NoteSegmenter, segment_notes

__all__ = ["NoteSegmenter", "segment_notes"]
