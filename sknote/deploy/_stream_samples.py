"""Samples of a stream: chunks that are checked, blocks of one length, and those kept."""

import os
import warnings
from collections import deque
from numbers import Integral, Number

import numpy as np

from sknote.audio._bounds import LARGEST_SAMPLE, LOUD_SAMPLE, MOST_CHANNELS
from sknote.audio._samples import Mixer, to_float, to_mono
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

_EXPECTED = "NoteStream: expected numbers of shape (n_samples,) or (n_samples, n_channels), got"
_AS_BEFORE = "The stream is as it was before."
_HEARD = 1.0  # seconds after which it is told that channels cancel each other, or are silent


class ChunkReader:
    """Makes mono float32 samples of chunks; refuses what is none, and says once what is odd."""

    def __init__(self, sample_rate):
        self.sample_rate = sample_rate
        self._n_channels = None
        self._mixer, self._n_mixed = Mixer(), 0
        self._said = set()

    def read(self, samples, sample_rate=None):
        """Return a copy of the samples, whose rate may be stated; the mean of the channels."""
        rate = self.sample_rate
        if sample_rate is not None and sample_rate != rate:
            raise ValueError(
                f"NoteStream: expected samples at {rate} Hz, got {sample_rate} Hz. {_AS_BEFORE} "
                "Resample them, or close it and make another one for the new rate."
            )
        array = _as_array(samples)
        if array.size == 0:
            return np.zeros(0, np.float32)
        n_channels = 1 if array.ndim == 1 else array.shape[1]
        if n_channels != (self._n_channels or n_channels):
            raise AudioDecodeError(
                f"NoteStream: expected as many channels as before, {self._n_channels}, got an "
                f"array of shape {array.shape}. {_AS_BEFORE} Pass (n_samples, n_channels)."
            )
        self._n_channels = n_channels
        if array.dtype == np.int64:
            self._say(
                "samples of type int64 are divided by 2**63; cast those of a 16- or 32-bit "
                "recording to int16 or int32",
                stacklevel=5,
            )
        with np.errstate(over="ignore", invalid="ignore"):
            samples = self._bounded(to_float(array))
            return self._mixed(samples).astype(np.float32)

    def _mixed(self, samples):
        """Return the mean of the channels, and say once what is odd about them all."""
        if self._mixer is None or samples.ndim == 1:
            return to_mono(samples)
        self._n_mixed += len(samples)
        mono = self._mixer.mix(samples, is_bounded=True)
        if self._n_mixed >= _HEARD * self.sample_rate:
            for remark in self._mixer.remarks():
                self._mixer = None
                self._say(remark.replace("its", "the stream's", 1))
                break
        return mono

    def _bounded(self, samples):
        low, high = float(samples.min()), float(samples.max())
        if not (low >= -LARGEST_SAMPLE and high <= LARGEST_SAMPLE):  # or one of them is NaN
            fine = np.abs(samples) <= LARGEST_SAMPLE
            samples = np.where(fine, samples, np.float32(0))
            self._say("NaN, infinity and what is far above full scale are taken for silence")
            low, high = float(samples.min()), float(samples.max())
        if max(-low, high) > LOUD_SAMPLE:
            self._say(
                "samples go far above full scale, which is 1; divide them by their own full scale"
            )
        return samples

    def _say(self, text, stacklevel=6):
        if text not in self._said:
            self._said.add(text)
            warnings.warn(f"NoteStream: {text}.", AudioDecodeWarning, stacklevel=stacklevel)


def _as_array(samples):
    kind = type(samples).__name__
    is_pair = isinstance(samples, (tuple, list)) and len(samples) == 2
    if is_pair and sum(isinstance(part, Number) for part in samples) == 1:
        raise AudioDecodeError(
            f"{_EXPECTED} a pair of samples and a rate. {_AS_BEFORE} Pass push(samples, rate)."
        )
    if np.ma.is_masked(samples):
        raise AudioDecodeError(f"{_EXPECTED} some that are masked. {_AS_BEFORE} Fill them.")
    if hasattr(samples, "detach") and hasattr(samples, "cpu"):  # a tensor
        samples = samples.detach().cpu()
    try:
        array = np.asarray(samples)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise AudioDecodeError(f"{_EXPECTED} {kind}: {error}. {_AS_BEFORE}") from error
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        what = f"{kind} of shape {array.shape} and type {array.dtype}"
        raise AudioDecodeError(f"{_EXPECTED} {what}. {_AS_BEFORE}")
    if array.ndim == 2 and array.shape[0] and not 1 <= array.shape[1] <= MOST_CHANNELS:
        raise AudioDecodeError(
            f"{_EXPECTED} shape {array.shape}, and 1 to {MOST_CHANNELS} channels. {_AS_BEFORE} "
            "Transpose it if channels come first."
        )
    return array


def check_source(source):
    """Refuse what is one recording, or the name of one, in place of chunks of samples."""
    is_one = isinstance(source, np.ndarray) and source.ndim < 2
    if is_one or isinstance(source, (str, bytes, bytearray, memoryview, os.PathLike)):
        raise TypeError(
            "NoteStream: expected an iterable of chunks to listen to, got "
            f"{'an array of samples' if is_one else type(source).__name__}. Pass [samples]; of a "
            "file, those that sknote.AudioLoader reads at the stream's sample_rate."
        )
    if not hasattr(source, "__iter__") or hasattr(source, "read"):
        raise TypeError(
            "NoteStream: expected an iterable of chunks to listen to, got "
            f"{type(source).__name__}. Pass arrays of samples, as a generator yields them."
        )


def check_callable(name, value):
    """Refuse what can neither be called nor is None."""
    if value is not None and not callable(value):
        raise TypeError(f"NoteStream: expected {name} to be callable or None, got {value!r}.")


def check_count(n_samples, name="NoteStream"):
    """Return a number of samples that are missing."""
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 0:
        raise ValueError(
            f"{name}: expected a whole number of samples, 0 or more, got {n_samples!r}."
        )
    return int(n_samples)


class Blocks:
    """Chunks of any length in, blocks of one length out; and breaks, in front of which they end.

    The length, in samples, need not be whole: a block ends at the sample that is nearest. After a
    break they begin anew.
    """

    def __init__(self, length):
        self._length = length
        self._n_blocks = 0
        self._parts = deque()
        self._n_samples = self._n_breaks = 0

    def add(self, samples):
        if len(samples):
            self._parts.append(samples)
            self._n_samples += len(samples)

    def add_break(self, what, *, first=False):
        """Let something else than samples come out, after all samples so far, or before."""
        (self._parts.appendleft if first else self._parts.append)(_Break(what))
        self._n_breaks += 1

    def take(self):
        """Return a block, shorter only in front of a break; or a `_Break`; or None."""
        end = round((self._n_blocks + 1) * self._length)
        missing = end - round(self._n_blocks * self._length)
        if self._n_samples < missing and not self._n_breaks:
            return None
        found = []
        while missing and self._parts and not isinstance(self._parts[0], _Break):
            part = self._parts.popleft()
            if len(part) > missing:
                self._parts.appendleft(part[missing:])
                part = part[:missing]
            found.append(part)
            missing -= len(part)
            self._n_samples -= len(part)
        if found:
            self._n_blocks += 1
            return found[0] if len(found) == 1 else np.concatenate(found)
        self._n_breaks -= 1
        self._n_blocks = 0
        return self._parts.popleft()


class _Break:
    def __init__(self, what):
        self.what = what


class Recent:
    """The last samples of a stream, as many as there is room for."""

    def __init__(self, n_samples):
        self._ring = np.zeros(n_samples, np.float32)
        self.end = 0  # samples since the stream began

    def write(self, samples):
        room = len(self._ring)
        start = self.end % room
        first = min(len(samples), room - start)
        self._ring[start : start + first] = samples[:first]
        self._ring[: len(samples) - first] = samples[first:]
        self.end += len(samples)

    def jump(self, n_samples):
        """Go on after samples that are missing; nobody asks for them."""
        self.end += n_samples

    def read(self, start, stop):
        """Return a copy of samples that are still there, between two places of the stream."""
        room = len(self._ring)
        stop = min(stop, self.end)
        start = max(start, stop - room, self.end - room, 0)
        if start >= stop:
            return np.zeros(0, np.float32)
        first, last = start % room, (stop - 1) % room + 1
        if first < last:
            return self._ring[first:last].copy()
        return np.concatenate([self._ring[first:], self._ring[:last]])
