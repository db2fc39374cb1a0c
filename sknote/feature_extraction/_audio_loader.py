"""AudioLoader: recordings to waveforms."""

from numbers import Real

import numpy as np
from joblib import Parallel, delayed

from sknote._compat import StrOptions
from sknote._input.equal import first_equal
from sknote._input.forms import caller_rows
from sknote._interval import Interval
from sknote.audio import read_audio, waveforms_or_error
from sknote.feature_extraction._base import N_JOBS, SAMPLE_RATE, AudioTransformer


class AudioLoader(AudioTransformer):
    """Turn recordings into mono float32 waveforms at one sample rate.

    WAV, FLAC, OGG, MP3 and AIFF are decoded by libsndfile; what phones and browsers record (m4a,
    3gp, webm) by PyAV, which the extra ``av`` installs. All are resampled by soxr ("HQ"), and
    channels are averaged. The contents of a file decide what it is, not its name.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate of the waveforms, in Hz.
    max_duration : float or None, default=None
        How much of each recording to read at most, in seconds; None reads all.
    offset : float, default=0.0
        Where to start in each recording, in seconds.
    input_sample_rate : int or None, default=None
        Sample rate of recordings that come as arrays, in Hz; None means `sample_rate`. Files know
        their own.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a recording that cannot be decoded, whatever is wrong with it. With "raise"
        it is an :class:`~sknote.exceptions.AudioDecodeError`; with "warn" it is named in an
        :class:`~sknote.exceptions.AudioDecodeWarning` and becomes an empty waveform. Both name the
        row: its position, and its index where X is a DataFrame or Series with one of its own.
    n_jobs : int or None, default=None
        Number of threads that decode.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit` (1 for a sequence).
    feature_names_in_ : ndarray of shape (n_features_in,)
        Names of the columns, if X was a DataFrame.

    Notes
    -----
    A header is not believed: a file is read until its end, and where it holds less than its header
    promises, an AudioDecodeWarning says so. Memory is in proportion to `max_duration`, or to the
    sound that is there. These are taken for damage, as NaN is: a sample rate below 1 kHz or above
    768 kHz, more than 64 channels, more than 200 samples made of each by resampling, and samples
    beyond 65,536 times full scale. Samples beyond 16 times full scale, channels that cancel each
    other in their mean, and those of which only one sounds, are kept, with a warning.

    Only regular files are opened by name: a named pipe, a socket or a device is refused, and not
    waited for. A file object that cannot be sought in is read as far as `offset` and `max_duration`
    take, where its format allows, else to its end; it is waited for if its other end stays open.

    An array of samples becomes columns ``x0``, ``x1``, ... where the loader changes their number.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote import AudioLoader
    >>> stereo = np.zeros((44100, 2), dtype=np.int16)
    >>> loader = AudioLoader(input_sample_rate=44100)
    >>> loader.fit_transform([stereo])[0].shape
    (22050,)
    >>> loader.transform(["missing.wav"])
    Traceback (most recent call last):
        ...
    sknote.exceptions.AudioDecodeError: AudioLoader: 'missing.wav' (row 0) could not be decoded: \
there is no such file. Pass on_error='warn' to go on with an empty waveform in its place.
    """

    _parameter_constraints = {
        "sample_rate": [SAMPLE_RATE],
        "offset": [Interval(Real, 0, None, closed="left")],
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
        "input_sample_rate": [SAMPLE_RATE, None],
        "on_error": [StrOptions({"raise", "warn"})],
        "n_jobs": N_JOBS,
    }

    _ndim = 0

    def __init__(
        self,
        sample_rate=22050,
        max_duration=None,
        *,
        offset=0.0,
        input_sample_rate=None,
        on_error="raise",
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.max_duration = max_duration
        self.offset = offset
        self.input_sample_rate = input_sample_rate
        self.on_error = on_error
        self.n_jobs = n_jobs

    def transform(self, X):
        """Decode recordings.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            Paths, bytes, binary file objects or arrays of samples.

        Returns
        -------
        DataFrame, object ndarray of shape (n_notes,) or ndarray of shape (n_notes, n_samples)
            The form of X with waveforms in place of the recordings.

        Raises
        ------
        AudioDecodeError
            If a recording cannot be decoded and `on_error` is "raise".
        """
        self._validate_params()  # again, as they may have been set since `fit`
        self.check_unchanged()
        sources, _ = self._unpack(X)
        options = self.read_options()
        firsts = first_equal(sources).tolist()
        different = sorted(set(firsts))
        jobs = (delayed(read_audio)(sources[row], **options) for row in different)
        read = dict(zip(different, Parallel(n_jobs=self.n_jobs, require="sharedmem")(jobs)))
        results = [_copied(read[at]) if at < row else read[at] for row, at in enumerate(firsts)]
        say = {"name": type(self).__name__, "on_error": self.on_error, "rows": caller_rows(X)}
        return self._repack(X, list(waveforms_or_error(results, sources, **say)))

    def get_feature_names_out(self, input_features=None):
        names = super().get_feature_names_out(input_features)
        if "audio" not in names:  # an array of samples, whose number the loader may change
            n_samples = len(read_audio(np.zeros(self.n_features_in_), **self.read_options())[0])
            if n_samples != len(names):
                return np.asarray([f"x{i}" for i in range(n_samples)], dtype=object)
        return names

    def _carried(self):
        return {"sample_rate": self.sample_rate, "spectral_axes": None, "spectrogram": None}

    def meaning(self):
        return {"sample_rate": self.sample_rate}

    def read_options(self):
        """Return what is asked of :func:`sknote.audio.read_audio` for each recording.

        Returns
        -------
        dict
            Its keyword arguments.
        """
        return {
            "sample_rate": self.sample_rate,
            "input_rate": self.input_sample_rate,
            "offset": self.offset,
            "max_duration": self.max_duration,
        }

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        return tags


def _copied(result):
    """Return what `read_audio` did for the same recording in another row, as a copy."""
    waveform, error, remarks = result
    return waveform.copy(), error, remarks
