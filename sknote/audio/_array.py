"""From an array of samples to a mono float32 waveform."""

from collections.abc import Mapping
from numbers import Number

import numpy as np

from sknote._input.arrays import NoArray, plain_array
from sknote.audio._bounds import MOST_CHANNELS
from sknote.audio._errors import TOO_SHORT, as_decode_error, remark
from sknote.audio._likeness import is_file
from sknote.audio._reading import frames_in
from sknote.audio._samples import Mixer, check_expansion, check_peak, resample, to_float
from sknote.audio._source import SOURCES
from sknote.audio._widths import odd_width
from sknote.exceptions import AudioDecodeError

_HEAD = 12  # samples that are looked at for the beginning of a file


def from_array(array, *, input_rate, sample_rate, offset=0.0, max_duration=None, remarks=None):
    """Turn an array of samples into a waveform, as :func:`decode` does for a file.

    Its shape is (n_samples,), (n_samples, n_channels) or (n_channels, n_samples), and its rate
    `input_rate` Hz. Floats are kept as they are; integers are divided by their type's full scale
    (8-bit unsigned ones are centred first). A tensor is taken off its graph and its device.
    """
    said = []
    with as_decode_error():
        array = _as_array(array)
        check_expansion(input_rate, sample_rate)
        if array.size == 0:
            array = array.reshape(0)
            said.append("it is empty (0 samples), and becomes an empty waveform")
        elif array.ndim == 2 and array.shape[0] < array.shape[1]:
            array = array.T
        start = frames_in(offset, input_rate)
        if start and start >= len(array):
            raise AudioDecodeError(
                f"offset={offset} s lies beyond its end ({len(array) / input_rate:.3f} s)"
            )
        stop = None
        if max_duration is not None:
            stop = start + max(1, frames_in(max_duration, input_rate))
        array, mixer = array[start:stop], Mixer()
        if array.dtype.kind == "f" and array.size:
            mixer.peak = check_peak(array)
        elif odd := odd_width(array):
            said.append(odd)
        mono = mixer.mix(to_float(array), is_bounded=True)
        said += mixer.remarks()
        waveform = resample(mono, input_rate, sample_rate)
        if len(waveform) == 0 < len(mono):
            said.append(TOO_SHORT.format(sample_rate))
    for text in said:
        remark(remarks, text)
    return waveform


def _as_array(source):
    """Make an array of what holds samples; refuse what does not, with the likely reason."""
    kind = type(source).__name__
    if source is None or kind == "NAType" or (isinstance(source, float) and source != source):
        raise AudioDecodeError(f"expected {SOURCES}, got {kind} (it is missing)")
    if isinstance(source, Mapping) or _is_pair(source):
        what = "a dict" if isinstance(source, Mapping) else "a pair of samples and a rate"
        raise AudioDecodeError(
            f"expected {SOURCES}, got {what}. Pass the samples alone, and their rate as "
            "input_sample_rate"
        )
    try:
        array = plain_array(source)
    except NoArray as error:
        raise AudioDecodeError(f"expected {SOURCES}, got {error.what}. {error.remedy}") from error
    if array.ndim == 0 and array.dtype == object:
        raise AudioDecodeError(f"expected {SOURCES}, got {kind}")
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise AudioDecodeError(
            f"expected a numeric array of 1 or 2 dimensions, got shape {array.shape} "
            f"and type {array.dtype}"
        )
    if array.ndim == 1 and is_file(array[:_HEAD].tobytes()):
        raise AudioDecodeError(
            "its numbers are the bytes of a sound file, and no samples. Pass x.tobytes()"
        )
    if array.ndim == 2 and min(array.shape) > MOST_CHANNELS:
        raise AudioDecodeError(
            f"expected at most {MOST_CHANNELS} channels, got an array of shape {array.shape}"
        )
    return array


def _is_pair(source):
    """Tell whether something is (samples, rate) or (rate, samples), as other libraries give."""
    is_two = isinstance(source, (tuple, list)) and len(source) == 2
    return is_two and sum(map(_is_number, source)) == 1 and any(map(np.ndim, source))


def _is_number(part):
    is_written = isinstance(part, str) and part.isdecimal()
    return is_written or isinstance(part, Number) or getattr(part, "shape", None) == ()
