"""Errors and warnings of sknote.

Every error is also a ``ValueError`` and every warning also a ``UserWarning``, so that code written
for scikit-learn catches them without knowing sknote.
"""

__all__ = [
    "AudioDecodeError",
    "AudioDecodeWarning",
    "DataNotFoundError",
    "GroupLeakageError",
    "LabelParseWarning",
    "NoSoundWarning",
]


class AudioDecodeError(ValueError):
    """A recording could not be turned into a waveform."""


class AudioDecodeWarning(UserWarning):
    """A recording became an empty waveform, holds no sound, or something else about it is odd.

    It may hold less sound than its header promises, samples far above full scale, channels that
    cancel each other, or one channel that sounds beside others that do not.
    """


class NoSoundWarning(AudioDecodeWarning):
    """There is no sound in some recordings, so that nothing can be said of them.

    Parameters
    ----------
    message : str
        What is said.
    rows : iterable of int, default=()
        The positions of the recordings in X, where they are known.

    Attributes
    ----------
    rows : tuple of int
        As above.
    """

    def __init__(self, message, rows=()):
        super().__init__(message)
        self.rows = tuple(map(int, rows))


class DataNotFoundError(FileNotFoundError, ValueError):
    """A data set, or one of its files, is not where it was looked for."""


class GroupLeakageError(ValueError):
    """A split has one group on both of its sides."""


class LabelParseWarning(UserWarning):
    """A label was given a level that its spelling does not state."""
