"""Trills in a stream of frames: two neighbouring pitches in turn, again and again."""

from collections import deque

import numpy as np

from sknote.audio.segmentation._frames import N_LOW

__all__ = ["TrillFinder"]

# Times are in frames, of 10 ms.
_SHORTEST, _LONGEST = 8, 22  # cycles, of two turns: 4.5 to 12.5 a second
_STEP = 4  # from one look to the next
_AROUND = 20  # before and behind a place, which are looked at together
_LEAST, _MOST = 36, 44  # looks at a trill last so long before it is one, and until it is none
_NEAR = 45  # before the first look at a trill, and behind the last, in which its turns may be

# An onset is a turn if what was heard before it comes again a cycle later, or if what is heard
# behind it was heard a cycle before.
_BESIDE, _BEYOND = 7, 26
# What is heard before the first look, or behind the last, has to be at one of the two pitches; and
# if it is at most so long, it is the first turn or the last one, though it does not come again.
_LONGEST_TURN = 40
_SOON = 20  # as _NEAR, for that first turn

_PERIODIC = 0.06  # likeness of frames a cycle apart, and unlikeness of those half a cycle apart
_RETURNING = -0.1  # the same, at a turn
_LOUD = 0.5  # level from which bands count: 35 dB below the loudest
_EXTREME = 8  # frames, of those that are looked at, that are most at one of the two pitches
_NARROW, _WIDE = 5, 24  # bands between the two pitches, of which 24 are an octave; those tried
_STEADY = 0.1  # by which two tones of one pitch may be more alike than a tone apart
_FITS = -0.02  # by which two tones are more alike a tone apart than at any other interval, less
_LOUDNESS = 0.3  # this part of the share of their difference that is one of loudness
_SMOOTH = np.full(13, 1 / 13)  # an average over half an octave, above which harmonics stand
_STILL = np.float32(0.3)  # beside the length of a change: one so long counts for little
_MEAN_BAND = np.full(N_LOW, 1 / N_LOW, np.float32)
# frames that are kept at least: of all onsets in doubt, and what was heard before these
_KEPT = _NEAR + _MOST + _AROUND + 2 * _STEP + _LONGEST_TURN


class TrillFinder:
    """Tells of onsets whether they are turns of a trill.

    In a trill, what is heard comes again after a cycle and is another one after half of it, and
    the two are pitches a tone apart or so: the harmonics of one fit those of the other best if they
    are moved so far. Those of repeated notes, or of a tremolo, fit as they are and differ in
    loudness, and scales do not come again.
    """

    #: Frames after an onset until it is known whether it is a turn, at most.
    longest_doubt = _NEAR + _MOST + _AROUND + 2 * _STEP

    def __init__(self):
        self._levels = np.zeros((2 * _KEPT, N_LOW), np.float32)  # the last ones
        self._n_kept = self._n_frames = 0
        self._looked = 0  # the last place
        self._spans = deque(maxlen=16)  # of looks at what is a trill, or may be

    def push(self, frame):
        """Take the next frame, shape (n_bands,)."""
        if self._n_kept == len(self._levels):
            self._n_kept = _KEPT
            self._levels[:_KEPT] = self._levels[-_KEPT:].copy()
        self._levels[self._n_kept] = frame[:N_LOW]
        self._n_kept += 1
        self._n_frames += 1
        place = self._n_frames - _AROUND
        if place >= _AROUND and place % _STEP == 0:
            self._look(place)

    def returns(self, place):
        """Tell whether it sounds around an onset as if it was a turn; None before that is known."""
        if self._n_frames < place + _BEYOND:
            return None
        after = self._heard(place - _BESIDE, place + _BEYOND)
        before = self._heard(place - _BEYOND, place + _BESIDE)[::-1]  # as if time ran back
        most = max(_likeness(after, min(place, _BESIDE)), _likeness(before, _BESIDE))
        return most >= _RETURNING

    def is_turn(self, start, turn, place, end, returns):
        """Tell whether an onset is a turn of a trill; None before that is known.

        The trill began with the note of `start`, and its last turn before that at `turn`. What
        follows ends at `end`, or None: it sounds. All but `returns` are places.
        """
        if returns is None:
            return None
        trill = self._trill_near(start, place, _NEAR if returns else _SOON)
        if not trill or (returns and trill.first <= place <= trill.last):
            return trill and True
        is_first = place - trill.first < trill.last - place
        start, stop = (turn, place) if is_first else (place, end or self._n_frames)
        if not returns and stop - start > _LONGEST_TURN:
            return False
        if not returns and not is_first and end is None:
            return None
        if is_first:
            return self._is_at(trill.pitches, max(start + 2, stop - _AROUND), stop)
        return self._is_at(trill.pitches, start + 2, min(stop, start + _AROUND))

    def _trill_near(self, start, place, before):
        """Find the trill that an onset is in or near; False if there is none; None: not known."""
        may_be = self._looked < place + before
        for span in self._spans:
            if span.first - before <= place <= span.last + _NEAR and start <= span.last:
                if span.is_trill:
                    return span
                may_be |= span.is_open and span.length < _MOST
        return None if may_be else False

    def _is_at(self, pitches, start, stop):
        """Tell whether one of two pitches was heard between two places."""
        heard = _harmonics(self._heard(min(start, stop - 1), stop).mean(axis=0))
        return any(_alike(heard, pitch).argmax() <= 1 for pitch in pitches)

    def _heard(self, start, end):
        later = self._n_frames - self._n_kept
        return self._levels[max(start - later, 0) : max(end - later, 1)]

    def _look(self, place):
        self._looked = place
        levels = self._levels[self._n_kept - 2 * _AROUND : self._n_kept]
        is_like = _likeness(levels) >= _PERIODIC
        span = self._spans[-1] if self._spans and self._spans[-1].is_open else None
        if span is None and is_like:
            span = _Span(place)
            self._spans.append(span)
        if span is not None:
            span.add(place, levels if is_like else None)


class _Span:
    """Looks, one after the other, at what may be a trill."""

    def __init__(self, first):
        self.first = self.last = first
        self.is_open, self.is_trill = True, False
        self.pitches = None  # the harmonics of both, where they are clearest
        self._clearest = -np.inf
        self._n_looks = self._sum_of_fits = 0

    @property
    def length(self):
        return self.last - self.first + _STEP

    def add(self, place, levels):
        """Add a look at a place, at levels that are periodic, or None."""
        if levels is None:
            self.is_open = place - self.last <= _STEP  # one look may miss it
            return
        self.last = place
        if self.is_trill:
            return
        tones = _tones(levels)
        pitches = [_harmonics(tone) for tone in tones]
        fits = _fits(*pitches) - _LOUDNESS * _loudness_share(*tones)
        if fits > self._clearest:
            self.pitches, self._clearest = pitches, fits
        self._n_looks += 1
        self._sum_of_fits += fits
        fits = self._sum_of_fits / self._n_looks
        self.is_trill = bool(self.length >= _LEAST and fits >= _FITS)


def _likeness(levels, n_first=0):
    """How periodic frames are, shape (n_frames, n_bands), at the best cycle, -1 to 1.

    It is the least of three: how alike those are that lie a cycle apart, how unlike those half a
    cycle apart, and how alike the first ones are, if any, to those a cycle behind them.
    """
    n_frames = len(levels)
    if n_frames < n_first + _LONGEST:
        return -1.0
    changes = levels - (levels @ _MEAN_BAND)[:, None]
    changes -= changes.sum(axis=0) / n_frames
    products = changes @ changes.T
    lengths = np.sqrt(products.diagonal())
    # how alike: a row each frame, a column each number of frames by which the other is later
    wide = n_frames + _LONGEST
    alike = np.zeros(n_frames * (wide + 1), np.float32)
    rows = alike[: n_frames * wide].reshape(n_frames, wide)
    rows[:, :n_frames] = products / (lengths[:, None] * lengths + _STILL)
    alike = alike.reshape(n_frames, wide + 1)[:, : _LONGEST + 1]
    means = alike.sum(axis=0) / (n_frames - np.arange(_LONGEST + 1))
    cycles = np.arange(_SHORTEST, _LONGEST + 1)
    least = np.minimum(means[cycles], -np.maximum(means[cycles // 2], means[(cycles + 1) // 2]))
    if n_first:
        least = np.minimum(least, alike[:n_first].mean(axis=0)[cycles])
    return float(least.max())


def _tones(levels):
    """Tell apart the two tones between which frames change; returns the levels of each."""
    loud = np.maximum(levels.astype(np.float64), _LOUD)  # what is soft is noise as well
    changes = loud - loud.mean(axis=0)
    order = np.argsort(np.linalg.eigh(changes @ changes.T)[1][:, -1])
    return [levels[some].mean(axis=0) for some in (order[:_EXTREME], order[-_EXTREME:])]


def _loudness_share(one, other):
    """Tell how much of the difference between two tones is that of their loudness, 0 to 1."""
    difference = one - other
    return abs(difference.mean()) / (np.sqrt(np.mean(difference**2)) + 1e-9)


def _harmonics(levels):
    """Levels of the bands above what is around them."""
    levels = np.maximum(levels, 0).astype(np.float64)
    return levels - np.convolve(np.pad(levels, len(_SMOOTH) // 2, mode="edge"), _SMOOTH, "valid")


def _fits(low, high):
    """Tell how much better than at other intervals two tones fit each other a tone apart."""
    alike = _alike(low, high)
    others = max(alike[0] - _STEADY, alike[_NARROW + 1 :].max())
    return alike[1 : _NARROW + 1].max() - others


def _alike(one, other):
    """How alike two tones are if one is moved by so many bands, from 0, up or down."""
    moved = np.lib.stride_tricks.sliding_window_view(np.pad(one, _WIDE), len(other))
    products = moved @ other / (np.sqrt((one @ one) * (other @ other)) + 1e-9)
    return np.maximum(products[_WIDE:], products[_WIDE::-1])
