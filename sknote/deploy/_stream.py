"""NoteStream: a model that listens."""

import dataclasses
import math
from collections import deque
from numbers import Integral, Real

import numpy as np

from sknote.audio._bounds import HIGHEST_RATE, LOWEST_RATE
from sknote.deploy._stream_events import NoteEvent, verdict
from sknote.deploy._stream_judge import Judge
from sknote.deploy._stream_samples import (
    Blocks,
    ChunkReader,
    Recent,
    check_callable,
    check_count,
    check_source,
)
from sknote.passages import BEFORE

__all__ = ["NoteStream"]

_BLOCK = 0.01  # seconds that are looked at together, whatever the chunks: a frame of the segmenter
_LONG_GAP = 1.0  # seconds that no note lasts through
_SAME = 0.07  # seconds by which the onset of a note that sounds may move
_LATE = 0.25  # seconds of sound that wait, at which there are no provisional verdicts
_MOST = 3600.0  # seconds of a parameter: samples of so many may have to be kept
_SLACK = 1.0  # seconds that are kept beyond what is needed


class NoteStream:
    """Hear how notes are played while they are played.

    Samples come in chunks of any length, events go out: a note began; what it sounds like so far;
    the final verdict, when its end is known; or that it was no note. Notes are cut as
    :func:`~sknote.audio.segment_notes` cuts them, and a final verdict is the model's answer for the
    note that was cut: any chunks and any delays give the events that the whole recording gives. Up
    to 50 ms before a note come along, as far as no other note sounds there, as in
    :func:`~sknote.predict_passage`; what is behind it does not: that would have to be waited for.

    Parameters
    ----------
    model : object
        A fitted pipeline, an :class:`~sknote.deploy.OnnxNoteClassifier` (then neither torch nor
        pandas is needed), or anything that has `predict_proba` for a list of waveforms or, if it
        was fitted on one, a DataFrame with the column ``audio``, and `classes_`. If it has
        `predict_with_confidence`, its answers are those.
    instrument : str or None, default=None
        That plays; None is unknown.
    sample_rate : int or None, default=None
        Of the samples, in Hz; None is the rate at which the model takes arrays (for most, and where
        it does not tell, 22050). Notes are resampled for a model of another rate.
    hop : float or None, default=0.5
        Seconds from one provisional verdict on a note that still sounds to the next, the first so
        long after its onset. None gives final verdicts alone.
    window : float or None, default=1.0
        Provisional verdicts hear so many of a note's last seconds; None is all of it.
    longest : float, default=60.0
        Seconds of the longest note. A longer one, such as a drone, is judged by as many, with the
        `offset` None, and nothing more is said of it.
    segmenter : callable or None, default=None
        Given a sample rate, makes what cuts notes, with the methods and attributes of
        :class:`~sknote.audio.NoteSegmenter`, which None is.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Those of the model.
    sample_rate : int
        Of the samples, in Hz.
    position : float
        Seconds of the stream that were looked at so far.

    See Also
    --------
    SampleQueue : From the callback of a sound card to a stream.
    sknote.audio.segment_notes : The notes of a whole recording.

    Notes
    -----
    Everything is computed in the call that brings the samples, and an object is used by one thread
    at a time. The sound is looked at in blocks of 10 ms, so that all events, also those on the way,
    are the same however it was cut into chunks. Memory is bounded: samples of `longest` and a few
    seconds are kept, and what the segmenter keeps.

    NaN, infinity and samples beyond 65,536 times full scale are taken for silence, with one
    warning. A chunk that holds no samples is an error, after which the stream is as before it. A
    model that fails on a note is an error, too: the note is lost, and the next call returns what
    was known besides and goes on.

    Examples
    --------
    >>> from sknote.deploy import NoteStream
    >>> stream = NoteStream(model, "flute", sample_rate=44100)  # doctest: +SKIP
    >>> for chunk in chunks:  # doctest: +SKIP
    ...     for event in stream.push(chunk):
    ...         print(event.kind, event.number, event.onset, event.label)
    >>> last = stream.close()  # doctest: +SKIP
    """

    def __init__(
        self,
        model,
        instrument=None,
        *,
        sample_rate=None,
        hop=0.5,
        window=1.0,
        longest=60.0,
        segmenter=None,
    ):
        sample_rate = _whole_rate(sample_rate)
        for name, value, may_be_none in (
            ("hop", hop, True),
            ("window", window, True),
            ("longest", longest, False),
        ):
            _check_seconds(name, value, may_be_none)
        check_callable("segmenter", segmenter)
        self._judge = Judge(model, instrument, sample_rate)
        self.classes_ = np.asarray(model.classes_)
        self.sample_rate = rate = _whole_rate(self._judge.sample_rate)
        self.hop, self.window, self.longest = hop, window, longest
        if segmenter is None:
            from sknote.audio import NoteSegmenter as segmenter
        self._make_segmenter = segmenter
        self._segmenter = segmenter(rate)
        self._origin = 0  # where the segmenter began, in samples
        self._hop = None if hop is None else max(1, round(hop * rate))
        self._window = None if window is None else max(1, round(window * rate))
        self._longest = max(1, round(longest * rate))
        self._before = round(BEFORE * rate)
        # a note is called the longest one when its end would be known if it had one
        self._patience = math.ceil(self._segmenter.look_ahead * rate)
        # and may be told as long after that
        room = self._longest + 2 * self._patience + math.ceil(_SLACK * rate)
        self._recent = Recent(room)
        self._reader = ChunkReader(rate)
        self._blocks = Blocks(_BLOCK * rate)
        self._open = []  # notes that began and are not judged; the last one may sound
        self._last_end = 0  # of the notes that have ended, in samples
        self._due = deque()  # events, and where the sound lies that is to be judged, or None
        self._events = []  # of this call, or of one in which the model failed
        self._number = 0
        self._is_late = self._is_closed = False

    @property
    def position(self):
        """Seconds of the stream that were looked at so far."""
        return self._recent.end / self.sample_rate

    def push(self, samples, sample_rate=None):
        """Hear the next samples.

        Parameters
        ----------
        samples : array-like of shape (n_samples,) or (n_samples, n_channels)
            Any number of them, also none. Channels are averaged; integers are divided by their
            type's full scale.
        sample_rate : int or None, default=None
            Their rate, if it is known; another one than the stream's is an error.

        Returns
        -------
        list of NoteEvent
            What is new, in the order in which it was decided.
        """
        self._add(samples, sample_rate)
        return self._all()

    def skip(self, n_samples):
        """Go on after samples that were lost, so that later times are right.

        Up to a second of them is taken for silence; where there are more, a note ends.

        Parameters
        ----------
        n_samples : int
            How many.

        Returns
        -------
        list of NoteEvent
            What is new.
        """
        self._add_gap(n_samples)
        return self._all()

    def close(self):
        """End the stream, and with it the note that sounds.

        Returns
        -------
        list of NoteEvent
            What is new; nothing if it was closed before.
        """
        self._add_end()
        return self._all()

    def listen(self, source, *, on_error=None):
        """Hear all of a source, and close the stream.

        Parameters
        ----------
        source : iterable
            Of chunks; an int among them is a number of lost samples. A :class:`SampleQueue` in
            which much sound waits gets no provisional verdicts until that is heard.
        on_error : callable or None, default=None
            Called with what the model raises on a note, which is lost then; None raises it.

        Returns
        -------
        iterator of NoteEvent
            What is new, as soon as it is decided.

        Raises
        ------
        TypeError
            If the source is one recording, or the name of one, or `on_error` cannot be called.
        Exception
            What `source` raises, after all events of what came before.
        """
        check_source(source)
        check_callable("on_error", on_error)
        return self._listen(source, on_error)

    def _listen(self, source, on_error):
        error, chunks = None, iter(source)
        while True:
            try:
                chunk = next(chunks)
            except StopIteration:
                break
            except Exception as raised:
                error = raised
                break
            self._is_late = getattr(source, "n_waiting", 0) > _LATE * self.sample_rate
            is_gap = isinstance(chunk, Integral) and not isinstance(chunk, bool)
            (self._add_gap if is_gap else self._add)(chunk)
            yield from self._hear(on_error)
        self._is_late = False
        self._add_end()
        yield from self._hear(on_error)
        if error is not None:
            raise error

    def _add(self, samples, sample_rate=None):
        self._check_open()
        self._blocks.add(self._reader.read(samples, sample_rate))

    def _add_gap(self, n_samples):
        self._check_open()
        n_samples = check_count(n_samples)
        if n_samples <= _LONG_GAP * self.sample_rate:
            self._blocks.add(np.zeros(n_samples, np.float32))
        else:
            self._blocks.add_break(n_samples)

    def _add_end(self):
        if not self._is_closed:
            self._is_closed = True
            self._blocks.add_break(None)

    def _check_open(self):
        if self._is_closed:
            raise ValueError("NoteStream: it is closed. Make another one for further samples.")

    def _all(self):
        """Return all events up to now, also those of a call in which the model failed."""
        for event in self._hear():
            self._events.append(event)
        events, self._events = self._events, []
        return events

    def _hear(self, on_error=None):
        """Do all that can be done, and yield events; what the model fails on is not tried again."""
        while True:
            while self._due:
                event, part = self._due.popleft()
                if part is None:
                    yield event
                    continue
                try:
                    proba = self._judge(self._recent.read(*part))
                except Exception as error:
                    if on_error is None:
                        raise
                    on_error(error)
                else:
                    yield dataclasses.replace(event, **verdict(proba, self._judge.classes))
            if not self._step():
                return

    def _step(self):
        """Hear the next block, gap or end; tells whether there was any."""
        block = self._blocks.take()
        if isinstance(block, np.ndarray):
            self._recent.write(block)
            notes = self._segmenter.push(block)
            since = self._segmenter.sounding_since
            onsets = getattr(self._segmenter, "open_onsets", [] if since is None else [since])
            self._follow(notes, onsets, since is not None)
        elif block is not None:
            self._break(block.what)
        return block is not None

    def _break(self, n_lost):
        """End the notes so far; go on after a gap of so many samples, or not at all (None)."""
        if self._segmenter is not None:
            self._follow(self._segmenter.flush())
            self._segmenter = None
            self._blocks.add_break(n_lost, first=True)  # when they are judged
        elif n_lost is not None:
            self._recent.jump(n_lost)
            self._origin = self._last_end = self._recent.end
            self._segmenter = self._make_segmenter(self.sample_rate)

    def _follow(self, notes, onsets=(), is_sounding=False):
        """Find out what is new by the notes that are sure, and the onsets of what may be notes.

        What was open and is among neither was no note, or is a part of another. An onset may move
        a little. What needs no model comes first: verdicts take a while.
        """
        places = [self._place(onset) for onset in (*(onset for onset, _ in notes), *onsets)]
        known, told, due = self._match(places), [], []
        for note in self._open:
            if note not in known and not note.is_judged:
                told.append((self._event("withdrawn", note), None))
        known = [note or self._begin(place, told) for note, place in zip(known, places)]
        for note, place in zip(known, places):
            note.onset = place
        for note, (_, offset) in zip(known, notes):
            offset = self._place(offset)
            if not note.is_judged:
                ends = None if offset - note.onset > self._longest else offset
                due.append((self._event("judged", note, ends), self._part(note, offset)))
            self._last_end = offset
        self._open = known[len(notes) :]
        if is_sounding:
            due += self._look(self._open[-1])
        self._due.extend([*told, *due])

    def _match(self, places):
        """Return for each place the open note whose onset it is, or None."""
        others, found = list(self._open), []
        for place in places:
            near = min(others, key=lambda note: abs(note.onset - place), default=None)
            if near is not None and abs(near.onset - place) >= _SAME * self.sample_rate:
                near = None
            found.append(near)
            others = [note for note in others if note is not near]
        return found

    def _begin(self, onset, told):
        self._number += 1
        note = _Note(self._number, onset, onset + (self._hop or 0))
        told.append((self._event("began", note), None))
        return note

    def _look(self, note):
        """Return what is to be judged of a note that sounds: all of it, a part, or nothing."""
        now = self._recent.end
        if note.is_judged:
            return []
        if now - note.onset >= self._longest + self._patience:
            note.is_judged = True
            return [(self._event("judged", note), self._part(note, now))]
        if self._hop is None or now < note.next_look:
            return []
        note.next_look += self._hop * (1 + (now - note.next_look) // self._hop)
        if self._is_late:
            return []
        start, now = self._part(note, now)
        if len(self._open) > 1:  # of the note before it is not known yet where it ended
            start = note.onset
        if self._window is not None:
            start = max(start, now - self._window)
        return [(self._event("revised", note), (start, now))]

    def _part(self, note, offset):
        """Where the sound lies by which a note is judged: it, and a little before."""
        start = min(note.onset, max(note.onset - self._before, self._last_end))
        return start, max(note.onset + 1, min(offset, note.onset + self._longest))

    def _place(self, seconds):
        """Turn a time of the segmenter into a place in the stream, in samples."""
        return self._origin + round(float(seconds) * self.sample_rate)

    def _event(self, kind, note, offset=None):
        rate = self.sample_rate
        ends = None if offset is None else offset / rate
        return NoteEvent(kind, note.number, self._recent.end / rate, note.onset / rate, ends)


class _Note:
    """A note that began."""

    def __init__(self, number, onset, next_look):
        self.number = number
        self.onset = onset
        self.next_look = next_look
        self.is_judged = False


def _whole_rate(rate):
    """Return a rate as an int, which sound cards may tell as a float; None stays None."""
    if rate is None:
        return None
    is_whole = isinstance(rate, Real) and not isinstance(rate, bool) and rate % 1 == 0
    if not is_whole or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ValueError(
            f"NoteStream: expected a sample_rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz, a whole "
            f"number, got {rate!r}."
        )
    return int(rate)


def _check_seconds(name, value, may_be_none):
    if value is None and may_be_none:
        return
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    if not is_real or not 0 < value <= _MOST:
        either = ", or None" if may_be_none else ""
        raise ValueError(
            f"NoteStream: expected {name} in seconds, above 0 and up to {_MOST:g}{either}, got "
            f"{value!r}."
        )
