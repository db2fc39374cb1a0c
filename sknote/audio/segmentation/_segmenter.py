"""From a stream of samples to the notes in it."""

import os
from numbers import Real

import numpy as np

from sknote._caller import warn_caller
from sknote.audio._bounds import HIGHEST_RATE, LARGEST_SAMPLE, LOWEST_RATE
from sknote.audio._samples import to_float
from sknote.audio._widths import odd_width
from sknote.audio.segmentation._frames import HOP, FrameStream
from sknote.audio.segmentation._joiner import NoteJoiner
from sknote.audio.segmentation._network import OnsetNetwork
from sknote.exceptions import AudioDecodeWarning

__all__ = ["NoteSegmenter", "segment_notes"]

# Of two onsets within so many seconds, the likelier one is kept.
_LEAST_GAP = 0.05
# What lasts less, before a silence, is the noise of a string or a key, and no note (seconds).
_SHORTEST = 0.045
# Below this probability of sound, in frames that follow each other, a note ends.
_SILENT = 0.4
_N_SILENT = 2
# Seconds from where a sound begins to where listeners say that a note does.
_PERCEIVED = 0.008


class NoteSegmenter:
    """Finds where the notes of one pitched instrument begin and end, while it is played.

    Samples go in by `push`, in chunks of any size; notes come out when both of their ends are
    known. A small recurrent network looks at the last tenth of a second every 10 ms and says how
    likely it is that a note began, and that one sounds, some 70 ms ago. Slurs (another pitch
    without a gap) and repeated notes are notes of their own; a note with vibrato is one. The turns
    of a trill, of two pitches up to a tone apart, are joined where there are some 8 a second or
    more, for 0.7 s or more.

    Parameters
    ----------
    sample_rate : float
        Samples a second, from 1,000 to 768,000 Hz.
    threshold : float, default=0.5
        Probability from which an onset counts, between 0 and 1. A lower one misses fewer notes,
        and invents more.

    Attributes
    ----------
    look_ahead : float
        Seconds after its end until a note is returned, at most; chunks that come late come on top.
        One that ends in silence is returned within 0.1 s, a trill mostly within 0.2 s. One that
        another follows without a gap waits until it is known whether that is a turn of a trill,
        mostly for 0.3 to 0.9 s; and notes are returned in their order, so that the last one of a
        run waits with those before it.
    sounding_since : float or None
        Onset in seconds of the note that sounds now, which is not returned yet; None in silence.
        It is known within 0.1 s, behind a trill mostly within 0.3 s (within 0.7 s, if its pitch is
        repeated there). It may still move by less than 0.1 s, if another onset follows that is
        likelier; what ends within 45 ms is taken for a noise, and never returned; and the turns of
        a trill fall back to its beginning.
    open_onsets : list of float
        Onsets in seconds of what may yet be notes: those that were told and not returned, the one
        that sounds last.
    time : float
        Seconds of sound that were pushed.

    See Also
    --------
    segment_notes : The same for a whole waveform.
    sknote.predict_passage : What a model says of each note of a recording.

    Notes
    -----
    Chunks do not matter: each 10 ms of sound are computed alone and in their order, so that any
    chunking gives the same notes, bit by bit. Memory does not grow with the stream.

    References
    ----------
    S. Böck, A. Arzt, F. Krebs, M. Schedl, "Online real-time onset detection with recurrent neural
    networks", DAFx 2012.

    J. Schlüter, S. Böck, "Improved musical onset detection with convolutional neural networks",
    ICASSP 2014.

    Of trills: that what is heard is periodic, and how far one of two tones is moved to fit the
    other, is this project's own.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote.audio import NoteSegmenter
    >>> segmenter = NoteSegmenter(22050)
    >>> notes = segmenter.push(np.zeros(22050, np.float32))  # a second of silence
    >>> notes.shape, segmenter.sounding_since
    ((0, 2), None)
    """

    _name = "NoteSegmenter"  # the first word of errors

    def __init__(self, sample_rate, *, threshold=0.5):
        self.sample_rate = _check_rate(sample_rate, self._name)
        self.threshold = _check_threshold(threshold, self._name)
        self._frames = FrameStream(self.sample_rate)
        self._network = OnsetNetwork()
        self._joiner = NoteJoiner()
        self._latest = self._network.delay + 1 + _N_SILENT  # frames until a silence is told
        self.look_ahead = HOP * (self._latest + self._joiner.longest_doubt)
        self._n_samples = 0
        self._n_frames = 0
        self._probabilities = [0.0, 0.0]  # of an onset, at the last two frames
        self._since = None  # onset of what sounds now, be it a turn of a trill
        self._begun = 0.0, 0.0  # when that began, and how likely it was
        self._n_silent = 0
        self._is_closed = False

    @property
    def time(self):
        """Seconds of sound that were pushed."""
        return self._n_samples / self.sample_rate

    @property
    def sounding_since(self):
        """Onset in seconds of the note that sounds now; None in silence."""
        return self._joiner.sounding_since

    @property
    def open_onsets(self):
        """Onsets in seconds of what may yet be notes: those that were told and not returned."""
        return self._joiner.open_onsets

    def push(self, samples):
        """Take the next samples of the stream.

        Parameters
        ----------
        samples : array-like of shape (n_samples,) or (n_samples, 1)
            Mono; floats with full scale 1, or integers, which are divided by their full scale. It
            may be empty.

        Returns
        -------
        notes : ndarray of shape (n_notes, 2)
            Onset and offset, in seconds since the first sample, of the notes that have become
            sure, in their order. Mostly there are none.

        Raises
        ------
        ValueError
            If `samples` are not one-dimensional, or not all finite numbers, or after `flush`. The
            stream is as it was before, and may go on.
        """
        if self._is_closed:
            raise ValueError("NoteSegmenter: it was flushed. Make a new one for another stream")
        samples = _check_samples(samples, self._name)
        self._n_samples += len(samples)
        notes = []
        for frame in self._frames.push(samples):
            self._decide(*self._network.push(frame))
            notes += self._joiner.push(frame)
        return _as_array(notes)

    def flush(self):
        """End the stream.

        Returns
        -------
        notes : ndarray of shape (n_notes, 2)
            The notes that were not returned yet. One that still sounds ends with the stream.
        """
        if self._is_closed:
            return _as_array([])
        time = self.time
        notes = self._push_silence(self._latest + 1)
        for _ in range(self._joiner.longest_doubt):
            if self._joiner.is_waiting:
                notes += self._push_silence(1)
        self._is_closed = True
        self._n_samples = round(time * self.sample_rate)
        notes += self._joiner.close(time)
        return _as_array([(on, min(off, time)) for on, off in notes if on < time])

    def _push_silence(self, n_frames):
        return list(self.push(np.zeros(round(n_frames * HOP * self.sample_rate), np.float32)))

    def _decide(self, onset, sound):
        """Take the probabilities of a frame, and find out what begins or ends."""
        before, here = self._probabilities
        self._probabilities = [here, onset]
        self._n_frames += 1
        # an onset is told one frame later, when its probability falls again
        time = (self._n_frames - 1 - self._network.delay) * HOP
        if here >= self.threshold and before <= here > onset:
            self._begin(time, here, time + HOP * _peak(before, here, onset) + _PERCEIVED)
        elif self._since is not None:
            self._n_silent = self._n_silent + 1 if sound < _SILENT else 0
            if self._n_silent == _N_SILENT:
                self._end(time + HOP * (2 - _N_SILENT))

    def _begin(self, time, probability, onset):
        onset = max(0.0, onset)
        if self._since is None or time - self._begun[0] >= _LEAST_GAP:
            self._joiner.begin(onset)
        elif probability > self._begun[1]:
            self._joiner.move(onset)
        else:
            return
        self._begun = time, probability
        self._since = onset
        self._n_silent = 0

    def _end(self, offset):
        if offset - self._since >= _SHORTEST:
            self._joiner.end(offset)
        else:
            self._joiner.drop()
        self._since = None


class _WholeSegmenter(NoteSegmenter):
    _name = "segment_notes"


def segment_notes(waveform, sample_rate, *, threshold=0.5):
    """Find where the notes of a passage begin and end.

    For one pitched instrument, which plays one note at a time: runs of up to 12 notes a second,
    slurs, repeated notes, trills. It is :class:`NoteSegmenter` fed at once.

    Parameters
    ----------
    waveform : array-like of shape (n_samples,)
        Mono; floats with full scale 1, or integers, which are divided by their full scale.
    sample_rate : float
        Samples a second, from 1,000 to 768,000 Hz.
    threshold : float, default=0.5
        Probability from which an onset counts, between 0 and 1.

    Returns
    -------
    notes : ndarray of shape (n_notes, 2)
        Onset and offset of each note in seconds, in the order of their onsets.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote.audio import segment_notes
    >>> segment_notes(np.zeros(22050), 22050).shape
    (0, 2)
    """
    segmenter = _WholeSegmenter(sample_rate, threshold=threshold)
    return np.concatenate([segmenter.push(waveform), segmenter.flush()])


def _peak(before, here, after):
    """Where a parabola through three values has its peak, in frames from the middle one."""
    return 0.5 * (before - after) / (before - 2 * here + after)


def _as_array(notes):
    return np.array(notes, dtype=np.float64).reshape(-1, 2)


def _check_rate(rate, name):
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not (is_number and LOWEST_RATE <= rate <= HIGHEST_RATE):
        raise ValueError(
            f"{name}: expected a sample_rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz, got {rate!r}"
        )
    return float(rate)


def _check_threshold(threshold, name):
    if not (isinstance(threshold, Real) and 0 < threshold < 1):
        raise ValueError(
            f"{name}: expected a threshold between 0 and 1, got {threshold!r}. Pass the "
            "probability from which an onset counts, as 0.5"
        )
    return float(threshold)


def _check_samples(samples, name):
    expected = f"{name}: expected samples of shape (n_samples,), floats or integers, got"
    if samples is None or isinstance(samples, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{expected} {type(samples).__name__}. Read a recording with sknote.AudioLoader, which "
            "gives its samples"
        )
    array = np.asarray(samples)
    if array.ndim == 2 and array.shape[1] == 1:  # as a sound card gives them
        array = array[:, 0]
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        remedy = "Average the channels" if array.ndim == 2 else "Pass an array of numbers"
        raise ValueError(f"{expected} shape {array.shape} and type {array.dtype}. {remedy}")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.any():
        warn_caller(f"{name}: {odd_width(array)}.", AudioDecodeWarning)
    array = to_float(array) if array.size else np.zeros(0, np.float32)
    if array.size and not np.abs(array).max() <= LARGEST_SAMPLE:  # NaN too
        wrong = int(np.argmin(np.abs(array) <= LARGEST_SAMPLE))
        remedy = "Put 0 in its place, if the stream is to go on"
        if np.isfinite(array[wrong]):
            remedy = "Divide samples by their full scale"
        raise ValueError(
            f"{name}: expected finite samples with full scale 1, got {array[wrong]} at "
            f"{wrong}. {remedy}"
        )
    return array
