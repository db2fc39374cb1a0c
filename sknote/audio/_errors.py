"""What is wrong with a recording, and what is odd about it: always in one form."""

import contextlib
import warnings

from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

# Of a waveform that resampling leaves nothing of.
TOO_SHORT = "it is shorter than a sample at {} Hz, and becomes an empty one"


@contextlib.contextmanager
def as_decode_error():
    """Turn whatever happens over one recording into an AudioDecodeError.

    Recordings come from anywhere, as objects of any class: what these raise is theirs, and must
    not end a batch. A package that is not installed is not the fault of a recording.
    """
    try:
        yield
    except (AudioDecodeError, ImportError):
        raise
    except MemoryError as error:
        raise AudioDecodeError("there is not enough memory for it") from error
    except Exception as error:
        text = str(error).rstrip(".")
        raise AudioDecodeError(f"{type(error).__name__}: {text}") from error


def remark(remarks, text):
    """Say what is odd: in a list, or where that is None as a warning."""
    if remarks is None:
        warnings.warn(text, AudioDecodeWarning, stacklevel=3)
    else:
        remarks.append(text)
