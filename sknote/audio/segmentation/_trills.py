"""Trills in a stream of frames: two neighbouring pitches in turn, again and again."""

from collections import deque

import numpy as np

from sknote.audio.segmentation._frames import N_LOW

__all__ = ["TrillFinder"]

# Times are in frames, of 10 ms.
_SHORTEST, _LONGEST = 8, 22  # cycles, of two turns: 4.5 to 12.5 a second
_STEP = 4  # from one look to the next
_AROUND = 20  # before and behind a place, which are looked at together
_LEAST, _MOST = 44, 52  # looks at a trill last so long before it is one, and until it is none
_NEAR = 45  # before the first look at a trill, and behind the last, in which its turns may be

# An onset is a turn if what was heard before it comes again a cycle later, or if what is heard
# behind it was heard a cycle before.
_BESIDE, _BEYOND = 7, 26

_PERIODIC = 0.06  # likeness of frames a cycle apart, and unlikeness of those half a cycle apart
_RETURNING = -0.1  # the same, at a turn
_NARROW, _WIDE = 5, 8  # bands between the two pitches, of which 24 are an octave; those tried
_LOUD = 0.5  # level from which bands count: 35 dB below the loudest
_FITS = 0.5  # least correlation of what comes up with what goes down, so many bands beside it
_BEST = 0.9  # of the best one of those tried
_SHARE = 0.05  # of what changes is what comes up, at least, and as much what goes down
_MOSTLY = 0.6  # of the looks at a trill find it narrow
# Harmonics of low notes are closer together than bands, which do not tell how far two notes are
# apart. They are a trill if a cycle has two onsets, or nearly: one of notes that repeat has one.
_LOW, _STRONG = 30, 0.7  # bands up to 156 Hz, and a level, 21 dB below the loudest, of low notes
_BOTH = 0.35  # as _SHARE, of low notes
_ONSETS = 1.4  # in a cycle, at least
_EARLY, _LATE = 15, 10  # before the first look and behind the last one, in which they are counted
_STILL = np.float32(0.3)  # beside the length of a change: one so long counts for little
_MEAN_BAND = np.full(N_LOW, 1 / N_LOW, np.float32)


class TrillFinder:
    """Tells of onsets whether they are turns of a trill.

    In a trill, what is heard comes again after a cycle and is another one after half of it, and
    the two differ by a small interval: what one has in some bands the other has beside them.
    A tremolo, or repeated notes, change the same bands up and down, and scales do not come again.
    """

    #: Frames after an onset until it is known whether it is a turn, at most.
    longest_doubt = _NEAR + _MOST + _AROUND + 2 * _STEP

    def __init__(self):
        self._levels = np.zeros((8 * _BEYOND, N_LOW), np.float32)  # the last ones, and some before
        self._n_kept = self._n_frames = 0
        self._looked = 0  # the last place
        self._spans = deque(maxlen=16)  # of looks at what is a trill, or may be
        self._onsets = deque(maxlen=64)

    def push(self, frame):
        """Take the next frame, shape (n_bands,)."""
        if self._n_kept == len(self._levels):
            self._n_kept = 2 * _BEYOND
            self._levels[: self._n_kept] = self._levels[-self._n_kept :].copy()
        self._levels[self._n_kept] = frame[:N_LOW]
        self._n_kept += 1
        self._n_frames += 1
        place = self._n_frames - _AROUND
        if place >= _AROUND and place % _STEP == 0:
            self._look(place)

    def begin(self, place):
        """Take an onset, told some frames after it."""
        self._onsets.append(place)

    def returns(self, place):
        """Tell whether it sounds around an onset as if it was a turn; None before that is known."""
        if self._n_frames < place + _BEYOND:
            return None
        levels = self._levels[: self._n_kept]
        place -= self._n_frames - self._n_kept
        after = levels[max(place - _BESIDE, 0) : place + _BEYOND]
        before = levels[max(place - _BEYOND, 0) : place + _BESIDE][::-1]  # as if time ran back
        most, _ = max(_likeness(after, min(place, _BESIDE)), _likeness(before, _BESIDE))
        return most >= _RETURNING

    def is_near(self, start, place):
        """Tell whether an onset is in, or near, a trill that began with the note of another one.

        None stands for not known yet.
        """
        may_be = self._looked < place + _NEAR
        for span in self._spans:
            if span.first - _NEAR <= place <= span.last + _NEAR and start <= span.last:
                if span.is_trill:
                    return True
                may_be |= span.is_open and span.length < _MOST
        return None if may_be else False

    def _look(self, place):
        self._looked = place
        levels = self._levels[self._n_kept - 2 * _AROUND : self._n_kept]
        likeness, cycle = _likeness(levels)
        is_like = likeness >= _PERIODIC
        span = self._spans[-1] if self._spans and self._spans[-1].is_open else None
        if span is None and is_like:
            span = _Span(place)
            self._spans.append(span)
        if span is not None:
            span.add(place, is_like, cycle, _interval(levels) if is_like else None)
            span.is_trill = span.is_trill or (is_like and span.sounds_like_trill(self._onsets))


class _Span:
    """Looks, one after the other, at what may be a trill."""

    def __init__(self, first):
        self.first = self.last = first
        self.is_open, self.is_trill = True, False
        self._n_looks = self._n_narrow = self._n_low = 0
        self._n_cycles = self._sum_of_cycles = 0

    @property
    def length(self):
        return self.last - self.first + _STEP

    def add(self, place, is_like, cycle, interval):
        self.is_open = is_like or place - self.last <= _STEP  # one look may miss it
        if not self.is_open:
            return
        self._n_looks += 1
        if is_like:
            self.last = place
            self._n_narrow += interval == "narrow"
            self._n_low += interval == "low"
            self._n_cycles += 1
            self._sum_of_cycles += cycle

    def sounds_like_trill(self, onsets):
        least = _MOSTLY * self._n_looks
        if self.length < _LEAST or self._n_narrow + self._n_low < least:
            return False
        first, last = self.first - _EARLY, self.last + _LATE
        n_onsets = sum(first < onset <= last for onset in onsets)
        n_cycles = (last - first) * self._n_cycles / self._sum_of_cycles
        return self._n_narrow >= least or n_onsets >= _ONSETS * n_cycles


def _likeness(levels, n_first=0):
    """How periodic frames are, shape (n_frames, n_bands), at the best cycle, -1 to 1; that cycle.

    It is the least of three: how alike those are that lie a cycle apart, how unlike those half a
    cycle apart, and how alike the first ones are, if any, to those a cycle behind them.
    """
    n_frames = len(levels)
    if n_frames < n_first + _LONGEST:
        return -1.0, _LONGEST
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
    return float(least.max()), int(cycles[least.argmax()])


def _interval(levels):
    """Tell of frames that change between two pitches how far these are apart.

    They are narrow, a tone apart or a little more, or low, so that it cannot be told; else None.
    """
    loud = np.maximum(levels.astype(np.float64), _LOUD)  # what is soft is noise as well
    changes = loud - loud.mean(axis=0)
    main = np.linalg.eigh(changes @ changes.T)[1][:, -1] @ changes
    ups, downs = np.maximum(main, 0), np.maximum(-main, 0)
    share = min(ups @ ups, downs @ downs) / (main @ main + 1e-9)
    inner = ups[_WIDE:-_WIDE]
    products = np.lib.stride_tricks.sliding_window_view(downs, len(inner)) @ inner
    fits = np.maximum(products[_WIDE:], products[_WIDE::-1])  # by bands, up or down
    fits /= np.sqrt((ups @ ups) * (downs @ downs)) + 1e-9
    if share >= _SHARE and fits[1 : _NARROW + 1].max() >= max(_FITS, _BEST * fits.max()):
        return "narrow"
    return "low" if share >= _BOTH and (levels[:, :_LOW] > _STRONG).any() else None
