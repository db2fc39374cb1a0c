"""Pure functions on sound: decoding, resampling and effects on waveforms."""

from sknote.audio._decode import decode, from_array, read_audio, resample, to_mono
from sknote.audio._effects import add_noise, pitch_shift, time_stretch

__all__ = [
    "add_noise",
    "decode",
    "from_array",
    "pitch_shift",
    "read_audio",
    "resample",
    "time_stretch",
    "to_mono",
]
