"""Pure functions on sound: decoding, resampling and effects on waveforms."""

from sknote.audio._decode import decode, from_array, resample, to_mono
from sknote.audio._effects import add_noise, pitch_shift, time_stretch
from sknote.audio._read import read_audio, waveforms_or_error

__all__ = [
    "add_noise",
    "decode",
    "from_array",
    "pitch_shift",
    "read_audio",
    "resample",
    "time_stretch",
    "to_mono",
    "waveforms_or_error",
]
