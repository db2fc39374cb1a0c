"""FeatureCache: a transformer whose results are kept on disk and memory-mapped."""

import contextlib
import functools
import os
import pickle
import platform
import re
import warnings
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from sknote._compat import HasMethods
from sknote._input.arrays import plain_value
from sknote._input.content import mark
from sknote._input.forms import caller_rows
from sknote._interval import Interval
from sknote._params import HOW_NOT_WHAT
from sknote.exceptions import AudioDecodeWarning
from sknote.feature_extraction._base import N_JOBS, AudioTransformer
from sknote.feature_extraction.cache._chunk import (
    as_recordings,
    catching,
    errors_of_row,
    is_catching,
    labelled_errors,
    make_chunk,
    portable,
    with_labels,
)
from sknote.feature_extraction.cache._store import FeatureStore

# What sknote's transformers compute with, and the layout of the files.
_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "soundfile", "av", "soxr")
_LAYOUT = 4
# Of recordings that cannot be decoded nothing is kept, whatever `on_error` says.
_NOT_IN_KEY = HOW_NOT_WHAT | {"on_error"}


class FeatureCache(MetaEstimatorMixin, AudioTransformer):
    """Keep what a transformer makes of each recording on disk, and map it into memory.

    The features of a recording are computed once, for all folds, trials, processes and runs that
    use the same folder. They are found by what the recording contains, not by its name or its
    place in X, by the transformer's parameters, and by the versions of the packages that compute.
    What comes back is memory-mapped, so that a data set may be larger than the memory.

    Parameters
    ----------
    transformer : transformer or Pipeline
        Turns a list of recordings into arrays, each recording by itself: it learns nothing in `fit`
        (its tag ``requires_fit`` is False), as :class:`~sknote.AudioLoader` and
        :class:`~sknote.Spectrogram` do, or a pipeline of these. It sees the recordings alone, not
        the other columns of X.
    cache_dir : str or path
        Folder of the features, made when it is needed; no URL, since files are mapped into memory.
        With `n_jobs` on several machines, one that all of them share.
    n_jobs : int or None, default=None
        Number of processes (or of what :func:`joblib.parallel_config` says) that compute what is
        not there yet. They write it themselves: only recordings (paths, where X has paths) travel.
        A cache inside of another one's transformer leaves this to the outer one.
    chunk_size : int, default=512
        Recordings that are computed at once by a process and put into one file.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    A file is whole or not there: a process that is killed costs what was under way and nothing
    else. Several processes may use one folder at the same time; what both lack is made by both, and
    is the same. Each note has a checksum, and a damaged file is made anew, with a warning; nothing
    in a file is run, and a link or a pipe is not opened. Nothing is ever deleted for being old:
    each setting of the transformer has a folder of its own, in which ``about.txt`` says what that
    is, and any of them may be deleted when no process uses it.

    What cannot be kept is computed in each run, with a warning: all where the disk is full or
    cannot be written, features that are no arrays of finite numbers, and those of a recording that
    another program changed while it was read. Recordings that could not be decoded
    (``on_error="warn"``) are not kept either, so that each run names them. The code of a
    transformer of your own is known by its name only: when you change the code, change `cache_dir`
    as well. The columns of an array have the transformer's names.

    A pipeline's own ``memory`` (joblib's) is no replacement: it goes by what X says, and where that
    is a path, it answers with the old features after the file has changed.

    A cache may be a step of another one's transformer, so that waveforms and spectrograms are both
    kept: ``FeatureCache(make_pipeline(FeatureCache(AudioLoader(), "waveforms"), Spectrogram()),
    "spectrograms")``.

    Examples
    --------
    >>> import tempfile
    >>> from sknote import AudioLoader, Spectrogram
    >>> from sknote.datasets import make_notes
    >>> from sknote.feature_extraction import FeatureCache
    >>> from sklearn.pipeline import make_pipeline
    >>> notes = make_notes(20, random_state=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> steps = make_pipeline(AudioLoader(), Spectrogram())
    >>> cache = FeatureCache(steps, folder.name)
    >>> X = cache.fit_transform(notes.data)  # computes and writes
    >>> again = cache.transform(notes.data[::-1])  # reads
    >>> bool((again.audio[7] == steps.transform(notes.data).audio[7]).all())
    True
    >>> folder.cleanup()
    """

    _parameter_constraints = {
        "transformer": [HasMethods(["fit", "transform"])],
        "cache_dir": [str, os.PathLike],
        "n_jobs": N_JOBS,
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    _ndim = 0

    def __init__(self, transformer, cache_dir, *, n_jobs=None, chunk_size=512, verbose=0):
        self.transformer = transformer
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.chunk_size = chunk_size
        self.verbose = verbose

    def fit(self, X, y=None):
        self._validate_params()
        _check_stateless(self.transformer)
        _local(self.cache_dir)
        return super().fit(X)

    def transform(self, X):
        """Read features, and compute those that are not there yet.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            What the transformer takes.

        Returns
        -------
        DataFrame, object ndarray of shape (n_notes,) or ndarray
            What the transformer makes of X, in the form that X has. In a DataFrame and an object
            array, the arrays are read-only and memory-mapped.

        Raises
        ------
        ValueError
            If `cache_dir` is a URL.
        OSError
            If more files of `cache_dir` are needed than can be open at a time.
        """
        self._validate_params()  # again, as they may have been set since `fit`
        _check_stateless(self.transformer)
        self.check_unchanged()
        items = [_read_stream(item) for item in self._unpack(X)[0]]
        store = FeatureStore(self._folder())
        marks = [mark(item) for item in items]
        keys = [marked[0] for marked in marks]
        features = store.read({key for key in keys if key is not None})
        reasons, labels = [], caller_rows(X)
        if rows := _missing(keys, features):
            store.describe(self._about())
            unkept, reasons = self._compute(store, items, marks, rows, labels)
            features |= unkept
            features |= store.read({keys[row] for row in rows}.difference(features, [None]))
            lost = f"they were written to {store.folder} and are not there any more"
            reasons += [(row, lost) for row in _missing(keys, features) if row in rows]
        while rows := _missing(keys, features):  # what others changed or deleted meanwhile
            unkept, more = self._compute(None, items, marks, rows, labels)
            features |= unkept
            reasons += more
        _warn_of_unkept(reasons, len(items))
        made = [features.get(row, features.get(key)) for row, key in enumerate(keys)]
        return self._repack(X, made)

    def _carried(self):
        steps = [step for step in _steps(self.transformer) if isinstance(step, AudioTransformer)]
        return steps[-1]._carried() if steps else {}

    def meaning(self):
        out = {}
        for step in _steps(self.transformer):
            # what is wrong with a parameter is said where it is fitted
            with contextlib.suppress(AttributeError, TypeError, ValueError):
                values = step.meaning()
                out |= {f"{name} of {type(step).__name__}": one for name, one in values.items()}
        return out

    def _compute(self, store, items, marks, rows, labels):
        """Compute features and keep them; return those that are not kept, and (row, reason)."""
        chunks = [rows[i : i + self.chunk_size] for i in range(0, len(rows), self.chunk_size)]
        transformer = clone(self.transformer)
        for part in (transformer, *transformer.get_params().values()):
            if isinstance(part, FeatureCache):
                part.cache_dir = _absolute(part.cache_dir)
        with labelled_errors(labels), catching(record=False), errors_of_row(rows[0]):
            warnings.simplefilter("ignore", AudioDecodeWarning)  # transform says it again
            # learns nothing, but checks parameters
            transformer.fit(as_recordings([portable(items[rows[0]])]))
        jobs = (
            delayed(make_chunk)(
                transformer,
                *zip(*[_sent(items[row], marks[row]) for row in chunk]),
                chunk,
                store,
                os.getcwd(),
            )
            for chunk in chunks
        )
        # threads of an inner cache would wait for the outer one, which waits for them
        n_jobs = 1 if is_catching() else self.n_jobs
        results = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
        options = {"total": len(chunks), "unit": "chunk", "disable": not self.verbose}
        unkept, reasons, remarks = {}, [], []
        with labelled_errors(labels):
            for more, why, warned in tqdm(results, "features", **options):
                unkept |= more
                reasons += why
                remarks += warned
        said = dict.fromkeys((category, text) for _, category, text in sorted(remarks, key=_row))
        for category, text in said:
            warnings.warn(with_labels(text, labels), category, stacklevel=3)
        return unkept, reasons

    def _settings(self):
        versions = {name: _version(name) for name in ("sknote", *_PACKAGES)}
        return {
            "transformer": _description(self.transformer),
            "versions": versions | {"machine": platform.machine(), "layout": _LAYOUT},
        }

    def _folder(self):
        try:
            name = joblib.hash(self._settings())
        except pickle.PicklingError as error:
            raise ValueError(
                f"FeatureCache: expected parameters that can be pickled, of which a name for the "
                f"cache is made, got {self.transformer!r}. Take functions of a module in place of "
                f"lambdas and inner functions."
            ) from error
        return _local(self.cache_dir) / name

    def _about(self):
        """Say what the features were made by, for people."""
        return "\n".join([repr(self.transformer), *map(str, self._settings()["versions"].items())])

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self, "n_features_in_")
        if "audio" in (names := getattr(self, "feature_names_in_", ())):
            return np.asarray(names, dtype=object)
        if self.n_features_in_ == 1:
            return np.asarray(["audio"], dtype=object)
        like_X = np.zeros((1, self.n_features_in_))
        return clone(self.transformer).fit(like_X).get_feature_names_out(input_features)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _missing(keys, features):
    """Of recordings that have features neither by row nor by key, the first row of each key."""
    rows = {}  # those without a key are all different
    for row, key in enumerate(keys):
        if row not in features and key not in features:
            rows.setdefault(row if key is None else key, row)
    return list(rows.values())


def _warn_of_unkept(reasons, n_notes):
    rows = {}
    for row, reason in sorted(reasons, key=_row):
        rows.setdefault(reason, []).append(row)
    for reason, found in rows.items():
        warnings.warn(
            f"FeatureCache: the features of {len(found)} of {n_notes} recordings (the first is row "
            f"{found[0]}) are not kept, only given: {reason}.",
            stacklevel=4,
        )


def _row(remark):
    return remark[0]


def _sent(item, marked):
    """Return what is sent to where it is computed, and its mark."""
    sent = portable(item)
    if sent is not item and mark(sent)[0] != marked[0]:  # the file object changed
        marked = (None, *marked[1:])
    return sent, marked


def _read_stream(item):
    """Read what can be read once only, such as a pipe, into bytes."""
    if hasattr(item, "read"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if not item.seekable() and isinstance(data := item.read(), bytes):
                return data
    return item  # where it is no binary file, the loader says so


def _steps(transformer):
    """The transformers of a pipeline, and of pipelines in it."""
    if not isinstance(transformer, Pipeline):
        return [] if transformer in (None, "passthrough") else [transformer]
    return [inner for _, step in transformer.steps for inner in _steps(step)]


def _check_stateless(transformer):
    for step in _steps(transformer):
        tags = get_tags(step)
        if tags.requires_fit or tags.non_deterministic:
            why = "learns from the data in fit" if tags.requires_fit else "is not deterministic"
            raise ValueError(
                f"FeatureCache: expected transformers that treat each recording by itself (tag "
                f"requires_fit=False), got {type(step).__name__}, which {why}. Put it behind the "
                f"FeatureCache in a pipeline, not into it."
            )


def _description(value):
    """Describe an estimator by what decides its results, in plain data."""
    if isinstance(value, FeatureCache):
        value = value.transformer
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        kept = {name: params[name] for name in sorted(params) if name not in _NOT_IN_KEY}
        return [kind, _version(kind.partition(".")[0]), _description(kept)]
    if isinstance(value, dict):
        return {name: _description(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_description(item) for item in value]
    return plain_value(value)


@functools.cache  # it takes longer than a note
def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _local(cache_dir):
    """Return a folder as a path; refuse the URL of one, of which a relative path would be made."""
    path = os.fspath(cache_dir)
    is_path = isinstance(path, str) and path.strip()
    if not is_path or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path):
        raise ValueError(
            f"FeatureCache: expected cache_dir to be the path of a folder, got {path!r}. Files are "
            f"memory-mapped: mount what is elsewhere, and pass the path of the folder."
        )
    folder = Path(path).expanduser().absolute()
    try:
        os.stat(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # it will be made, or a warning says why nothing is kept
    except (OSError, ValueError) as error:  # too long, links in a circle, NUL
        raise ValueError(
            f"FeatureCache: cache_dir cannot be that of a folder: "
            f"{getattr(error, 'strerror', None) or error}, in {path[:200]!r}. Pass another path."
        ) from error
    return folder


def _absolute(path):
    # a process may have been started in another folder
    return os.path.abspath(path) if isinstance(path, (str, os.PathLike)) else path
