"""Pure functions on sound: decoding, resampling and effects on waveforms."""

from sknote.audio._array import from_array
from sknote.audio._decode import decode
from sknote.audio._effects import add_noise, pitch_shift, time_stretch
from sknote.audio._read import read_audio, waveforms_or_error
from sknote.audio._samples import resample, to_mono
from sknote.audio.segmentation import NoteSegmenter, segment_notes

__all__ = [
    "NoteSegmenter",
    "add_noise",
    "decode",
    "from_array",
    "pitch_shift",
    "read_audio",
    "resample",
    "segment_notes",
    "time_stretch",
    "to_mono",
    "waveforms_or_error",
]
