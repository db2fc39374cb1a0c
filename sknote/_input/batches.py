"""Which notes go into one batch: those of like length, so that padding costs little."""

import numpy as np


def length_batches(lengths, batch_size, max_frames=1 << 15, *, overhead=None):
    """Yield rows of batches in order of length, of at most `batch_size` notes.

    None has more than `max_frames` frames, padding included, unless a single note has more. Without
    an `overhead` each has as many notes as that allows. With one, which is what a batch costs by
    itself, in frames, they are those that cost least: none waits for a note that is much longer.
    """
    order = np.argsort(lengths, kind="stable")
    if overhead is not None:
        yield from _cheapest(order, lengths[order], batch_size, max_frames, overhead)
        return
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        while stop > start + 1 and (stop - start) * lengths[order[stop - 1]] > max_frames:
            stop -= 1
        yield order[start:stop]
        start = stop


def _cheapest(order, lengths, batch_size, max_frames, overhead):
    """Return parts of rows, whose lengths are sorted, that cost least in all."""
    costs = np.zeros(len(order) + 1)  # of the first rows, at best
    starts = np.zeros(len(order) + 1, dtype=np.int64)  # of the last batch of these
    places = np.arange(len(order) + 1)
    for stop in range(1, len(order) + 1):
        longest = max(1, lengths[stop - 1])
        first = max(0, stop - batch_size, stop - max(1, max_frames // longest))
        found = costs[first:stop] + (stop - places[first:stop]) * longest
        best = int(found.argmin())
        costs[stop], starts[stop] = found[best] + overhead, first + best
    parts, stop = [], len(order)
    while stop:
        parts.append(order[starts[stop] : stop])
        stop = starts[stop]
    return parts[::-1]
