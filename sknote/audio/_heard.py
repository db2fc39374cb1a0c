"""A recording that is heard from its beginning to its end, whatever its length."""

import contextlib

from sknote.audio._decode import opened_to_decode, reading_all, what_is_odd

_ANY_RATE = 1  # Hz: nothing is resampled here


def heard(path, remarks):
    """Return the sample rate of a recording, and a generator of its waveform, block by block.

    It is what :func:`~sknote.audio.decode` gives at that rate, in bounded memory. Whatever is wrong
    is an AudioDecodeError: here, or where the generator comes upon it. At its end, what is odd is
    added to the list `remarks`.
    """
    blocks = _blocks(path, remarks)
    return next(blocks), blocks


def _blocks(path, remarks):
    """Yield the sample rate, and then blocks."""
    n_given = 0
    with (
        opened_to_decode(path) as file,
        contextlib.closing(reading_all(file, (0.0, None), _ANY_RATE)) as reading,
    ):
        is_over = False
        while not is_over:
            try:
                sound, flaws = next(reading), ()
            except StopIteration as end:
                (sound, *flaws), is_over = end.value, True
            while sound.blocks and (is_over or sound.taken + len(sound.blocks[0]) <= sound.sure):
                known = max(0, n_given - sound.taken)  # of another sound, as reading began anew
                if len(block := sound.take()[known:]):
                    if not n_given:
                        yield sound.rate
                    n_given += len(block)
                    yield block
        remarks += what_is_odd(sound, 0.0, *flaws)
