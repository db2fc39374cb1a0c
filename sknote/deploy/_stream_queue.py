"""SampleQueue: from the callback of a sound card to a NoteStream, without ever waiting."""

import queue
import time
from numbers import Integral, Real

import numpy as np

from sknote.deploy._stream_samples import check_count

__all__ = ["SampleQueue"]

_LOOK = 0.2  # seconds; a waiting thread is deaf to Ctrl-C on some systems


class SampleQueue:
    """Chunks of samples on their way from an audio callback to a NoteStream.

    An audio callback must neither compute nor wait. :meth:`put` copies the samples and returns;
    what finds no room is dropped, counted, and told to the stream as a gap, so that later times are
    right. Iterate over it, or pass it to :meth:`NoteStream.listen`, in another thread.

    Parameters
    ----------
    max_samples : int
        Samples that may wait, those of all channels counted once. A single chunk finds room
        whatever its length.
    timeout : float or None, default=None
        Seconds without a chunk after which iteration ends with a TimeoutError: the device has
        vanished, most likely. None waits for ever.

    Attributes
    ----------
    n_dropped : int
        Samples that were dropped so far.
    n_waiting : int
        Samples that wait now.

    Examples
    --------
    >>> from sknote.deploy import SampleQueue
    >>> waiting = SampleQueue(3)
    >>> [waiting.put([0.5, 0.25]) for _ in range(3)]
    [True, False, False]
    >>> waiting.close()
    >>> waiting.n_dropped, list(waiting)
    (4, [array([0.5 , 0.25]), 4])
    """

    def __init__(self, max_samples, *, timeout=None):
        is_whole = isinstance(max_samples, Integral) and not isinstance(max_samples, bool)
        if not is_whole or max_samples < 1:
            raise ValueError(
                f"SampleQueue: expected max_samples, an int of at least 1, got {max_samples!r}."
            )
        if timeout is not None and (not isinstance(timeout, Real) or not timeout > 0):
            raise ValueError(f"SampleQueue: expected a timeout above 0 or None, got {timeout!r}.")
        self.max_samples = int(max_samples)
        self.timeout = timeout
        self.n_dropped = 0
        self._chunks = queue.SimpleQueue()  # whose put never waits
        # each number is written by one side alone, so that no lock is needed
        self._n_put = self._n_taken = self._gap = 0
        self._error = None
        self._is_closed = False

    @property
    def n_waiting(self):
        """Samples that wait now."""
        return self._n_put - self._n_taken

    def put(self, samples):
        """Add a copy of a chunk, if there is room; returns at once.

        Parameters
        ----------
        samples : array-like of shape (n_samples,) or (n_samples, n_channels)
            The chunk.

        Returns
        -------
        bool
            Whether there was room, and the queue is open.
        """
        samples = np.array(samples)
        if samples.ndim == 0:
            raise ValueError(
                f"SampleQueue: expected a chunk of samples, got {samples.item()!r}. Pass an array "
                "of shape (n_samples,) or (n_samples, n_channels); of what is lost, tell skip."
            )
        n_samples, n_waiting = len(samples), self.n_waiting
        if self._is_closed:
            self.n_dropped += n_samples
            return False
        if n_waiting and n_waiting + n_samples > self.max_samples:
            self.skip(n_samples)
            self.n_dropped += n_samples
            return False
        self._put_gap()
        self._n_put += n_samples
        self._chunks.put(samples)
        return True

    def skip(self, n_samples):
        """Say that samples are missing here, such as those that a sound card has lost.

        Parameters
        ----------
        n_samples : int
            How many.
        """
        self._gap += check_count(n_samples, "SampleQueue")

    def close(self, error=None):
        """Say that no chunk will follow; iteration ends after those that wait.

        Parameters
        ----------
        error : Exception or None, default=None
            Raised by the iteration at its end: why no chunk follows.
        """
        self._put_gap()
        self._is_closed = True
        self._error = error
        self._chunks.put(None)

    def __iter__(self):
        """Give chunks, and for each gap its number of samples, an int."""
        waited_since = time.monotonic()
        while True:
            try:
                chunk = self._chunks.get(timeout=_LOOK)
            except queue.Empty:
                waited = time.monotonic() - waited_since
                if self.timeout is not None and waited >= self.timeout:
                    raise TimeoutError(
                        f"SampleQueue: expected a chunk within {self.timeout:g} s, got none. Is "
                        "the device still there?"
                    ) from None
                continue
            if chunk is None:
                self._chunks.put(None)  # for whoever asks again
                if self._error is not None:
                    raise self._error
                return
            if not isinstance(chunk, int):
                self._n_taken += len(chunk)
            yield chunk
            waited_since = time.monotonic()

    def _put_gap(self):
        if self._gap:
            gap, self._gap = self._gap, 0
            self._chunks.put(gap)
