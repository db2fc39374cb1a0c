"""FeatureCache: a transformer whose results are kept on disk and memory-mapped."""

import os
import pickle
import platform
import re
import threading
import warnings
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted
from tqdm.auto import tqdm

from sknote._forms import repack
from sknote._validation import unpack
from sknote.exceptions import AudioDecodeWarning
from sknote.feature_extraction._cache_store import FeatureStore, content_key

# What sknote's transformers compute with, and the layout of the files.
_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "soundfile", "soxr")
_LAYOUT = 2
# Parameters that decide how something is computed, not what.
_NOT_IN_KEY = {"n_jobs", "n_threads", "verbose", "memory", "on_error"}

# Warnings can be caught by one thread at a time; joblib takes threads inside of its processes.
_CATCHING = threading.RLock()
_THREAD = threading.local()


class FeatureCache(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
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
        Folder of the features, made when it is needed. With `n_jobs` on several machines, one that
        all of them share.
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
    A file is whole or not there: a process that is killed, or a full disk, costs what was under way
    and nothing else. Several processes may use one folder at the same time; what both lack is made
    by both, and is the same. Each note has a checksum, and a damaged file is made anew, with a
    warning. Nothing is ever deleted for being old: each setting of the transformer has a folder of
    its own, in which ``about.txt`` says what that is, and any of them may be deleted when no
    process uses it.

    Recordings that could not be decoded (``on_error="warn"``) are not kept, so that each run names
    them. The code of a transformer of your own is known by its name only: when you change the
    code, change `cache_dir` as well.

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
        "n_jobs": [Integral, None],
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(self, transformer, cache_dir, *, n_jobs=None, chunk_size=512, verbose=0):
        self.transformer = transformer
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.chunk_size = chunk_size
        self.verbose = verbose

    def fit(self, X, y=None):
        """Check the parameters and remember the columns; nothing is computed.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array of shape (n_notes, n_samples)
            What the transformer takes.
        y : None
            Ignored.

        Returns
        -------
        FeatureCache
            The cache itself.
        """
        self._validate_params()
        _check_stateless(self.transformer)
        unpack(self, X, ndim=0, reset=True)
        return self

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
        OSError
            If `cache_dir` cannot be read or written; what is finished there stays.
        """
        _check_stateless(self.transformer)
        items, _ = unpack(self, X, ndim=0, reset=False)
        store = FeatureStore(self._folder())
        keys = [content_key(item) for item in items]
        features = store.read({key for key in keys if key is not None})
        rows = {}  # of equal recordings the first; those without a key are all different
        for row, key in enumerate(keys):
            if key not in features:
                rows.setdefault(row if key is None else key, row)
        if rows:
            self._describe(store)
            unkept = self._compute(store, items, keys, list(rows.values()))
            features |= unkept
            made = [key for key in rows if key not in unkept]
            features |= store.read(made)
            if lost := [key for key in made if key not in features]:
                raise OSError(
                    f"FeatureCache: the features of {len(lost)} recordings were written to "
                    f"{store.folder} and are not there any more. Pass another cache_dir."
                )
        out = repack(X, [features[row if key is None else key] for row, key in enumerate(keys)])
        if isinstance(out, np.ndarray) and out.ndim == 3 and out.shape[1] == 1:
            return out[:, 0]  # as Spectrogram gives it back
        return out

    def _compute(self, store, items, keys, rows):
        """Compute what is missing; return what is not to be kept, by key or by row."""
        chunks = [rows[i : i + self.chunk_size] for i in range(0, len(rows), self.chunk_size)]
        transformer = clone(self.transformer)
        for part in (transformer, *transformer.get_params().values()):
            if isinstance(part, FeatureCache):
                part.cache_dir = _absolute(part.cache_dir)
        with _catching(record=False), _errors_of_row(rows[0]):
            warnings.simplefilter("ignore", AudioDecodeWarning)  # transform says it again
            # learns nothing, but checks parameters
            transformer.fit([_portable(items[rows[0]])])
        jobs = (
            delayed(_make_chunk)(
                transformer,
                [_portable(items[row]) for row in chunk],
                chunk,
                [keys[row] for row in chunk],
                store,
                os.getcwd(),
            )
            for chunk in chunks
        )
        # threads of an inner cache would wait for the outer one, which waits for them
        n_jobs = 1 if getattr(_THREAD, "is_catching", False) else self.n_jobs
        results = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
        options = {"total": len(chunks), "unit": "chunk", "disable": not self.verbose}
        unkept, remarks = {}, []
        for more, warned in tqdm(results, "features", **options):
            unkept |= more
            remarks += warned
        for _, category, message in sorted(remarks, key=lambda remark: remark[0]):
            warnings.warn(message, category, stacklevel=3)
        return unkept

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
        return Path(self.cache_dir).expanduser().absolute() / name

    def _describe(self, store):
        """Say in the folder what its features were made by."""
        lines = [repr(self.transformer), *map(str, self._settings()["versions"].items())]
        store.describe("\n".join(lines))

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns: those of a DataFrame, else ``["audio"]``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names to use where X had none.

        Returns
        -------
        ndarray of object
            One name for each column.
        """
        check_is_fitted(self, "n_features_in_")
        if input_features is None and self.n_features_in_ == 1:
            input_features = getattr(self, "feature_names_in_", ["audio"])
        return _check_feature_names_in(self, input_features)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


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
    return value


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _absolute(path):
    # a process may have been started in another folder
    return os.path.abspath(path) if isinstance(path, (str, os.PathLike)) else path


def _portable(recording):
    """Return what can be sent to another process."""
    if not hasattr(recording, "read"):
        return recording
    position = recording.tell()
    data = recording.read()
    recording.seek(position)
    return data


def _make_chunk(transformer, items, rows, keys, store, folder):
    """Compute and store the features of recordings.

    Parameters
    ----------
    transformer : transformer
        Fitted.
    items : list
        Recordings.
    rows : list of int
        Their rows in X, for messages.
    keys : list of (bytes or None)
    store : FeatureStore
    folder : str
        Where relative paths are meant from; a process may have been started in another one.

    Returns
    -------
    unkept : dict
        Features of recordings that have no key (by row), or of which a warning says that they
        could not be decoded (by key).
    remarks : list of (int, type, str)
        Row, category and text of warnings.
    """
    if None not in keys and store.has_file(keys):  # by another process, in the meantime
        return {}, []
    found = [_located(item, folder) for item in items]
    try:
        features, caught = _apply(transformer, found)
        is_clean = not _not_decoded(caught)
    except Exception:
        is_clean = False
    remarks = []
    if is_clean:
        remarks = [(rows[0], one.category, str(one.message)) for one in caught]
        doubtful = {i for i, key in enumerate(keys) if key is None}
    else:
        # one by one, which tells whom an error or a warning is about
        features, doubtful = [], set()
        for i, row in enumerate(rows):
            paths = (found[i], items[i])
            with _errors_of_row(row, paths):
                (values,), caught = _apply(transformer, found[i : i + 1])
            features.append(values)
            texts = [_at_row(str(one.message), row, paths) for one in caught]
            remarks += [(row, one.category, text) for one, text in zip(caught, texts)]
            if keys[i] is None or _not_decoded(caught):
                doubtful.add(i)
    kept = [i for i in range(len(items)) if i not in doubtful]
    if kept:
        store.write([keys[i] for i in kept], [features[i] for i in kept])
    unkept = {rows[i] if keys[i] is None else keys[i]: features[i] for i in doubtful}
    return unkept, remarks


def _apply(transformer, items):
    """Return features as a list of arrays, and the warnings."""
    with _catching(record=True) as caught:
        warnings.simplefilter("always")
        out = transformer.transform(items)
    if hasattr(out, "columns"):  # by set_output
        out = out["audio"].to_numpy() if "audio" in out else out.to_numpy()
    if not (isinstance(out, np.ndarray) and out.dtype == object and out.shape == (len(items),)):
        got = f"an array of shape {out.shape}" if hasattr(out, "shape") else type(out).__name__
        raise TypeError(
            f"FeatureCache: expected {type(transformer).__name__} to turn a list of recordings "
            f"into an object array of as many feature arrays, got {got} for {len(items)}. Put what "
            f"makes a table behind the FeatureCache."
        )
    return list(out), caught


@contextmanager
def _catching(record):
    """Catch warnings, while no other thread does; as often as one likes in this thread."""
    with _CATCHING, warnings.catch_warnings(record=record) as caught:
        before, _THREAD.is_catching = getattr(_THREAD, "is_catching", False), True
        try:
            yield caught
        finally:
            _THREAD.is_catching = before


@contextmanager
def _errors_of_row(row, paths=()):
    """Say of which row in X, and of which path, an error is that a single recording has raised."""
    try:
        yield
    except Exception as error:
        error.args = tuple(_at_row(arg, row, paths) for arg in error.args)
        raise


def _at_row(text, row, paths=()):
    """Put the row in X for the one that a transformer saw, which was given a single recording."""
    if not isinstance(text, str):
        return text
    if paths and isinstance(paths[0], str):
        text = text.replace(paths[0], os.fspath(paths[1]))
    return re.sub(r"\brow 0\b", f"row {row}", text)


def _located(item, folder):
    """Return a relative path from where the caller is, if this process is in another folder."""
    is_path = isinstance(item, (str, os.PathLike)) and folder != os.getcwd()
    return os.path.join(folder, item) if is_path else item


def _not_decoded(caught):
    return any(issubclass(one.category, AudioDecodeWarning) for one in caught)
