"""save and load: a fitted pipeline in one file, and out of it again."""

import contextlib
import os
from pathlib import Path

import numpy as np
from sklearn.exceptions import NotFittedError

from sknote._files import file_beside
from sknote.deploy._checks import OtherFormatError, WrongError
from sknote.deploy._kinds import other_kind
from sknote.deploy.model_file._archive import MODEL, opened, write
from sknote.deploy.model_file._pipeline import FORMAT, describe, restore

ABOUT = "about_"  # attribute of a pipeline that was loaded


def save(model, path, *, data=None, scores=None, hierarchy=None):
    """Write a fitted pipeline to a file that :func:`load` makes the same pipeline of.

    The file is a zip of two members: ``model.json`` has parameters, labels, instruments and the
    like; ``arrays.safetensors`` has the weights, or the trees. It holds no code and names none, so
    that a file of unknown origin can be loaded. Equal pipelines give equal files.

    Before it is put in its place, the file is loaded, and compared with the pipeline.

    Parameters
    ----------
    model : Pipeline
        Fitted, as :func:`~sknote.make_note_pipeline` or :func:`~sknote.make_baseline_pipeline`
        makes it, put together by hand of the same steps, or a search that found one. The network
        must be one of sknote's own.
    path : str or path
        The file, by custom named ``.sknote``. A model that is there is replaced, and no other file.
    data : dict of str to str or number, or None, default=None
        What is known of the training data, such as ``{"name": "...", "licence": "CC BY 4.0",
        "sha256": "..."}``. None keeps what the file said that `model` was loaded from, if it was.
    scores : dict of str to number, or None, default=None
        How good the model was on notes that it was not trained on. None is as in `data`.
    hierarchy : LabelHierarchy or None, default=None
        The levels of the labels. None is as in `data`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileExistsError
        If another file than a model is there.
    ValueError
        If the name ends in ``.onnx``; if something in the pipeline cannot be written: a network, a
        step or a callback of your own, or a random state that is no number. The message says what
        to do.

    See Also
    --------
    export_onnx : Writes a file that runs without torch, whatever the network is.

    Examples
    --------
    >>> from sknote.deploy import load, save
    >>> save(pipeline, "notes.sknote")  # doctest: +SKIP
    PosixPath('notes.sknote')
    >>> load("notes.sknote").predict(["a4.wav"])  # doctest: +SKIP
    array(['good-sound'], dtype='<U10')
    """
    if str(path).lower().endswith(".onnx"):
        raise ValueError(
            f"save: expected a name that ends otherwise, as .sknote, got {str(path)!r}. "
            "Files in .onnx are taken for what sknote.deploy.export_onnx writes."
        )
    given = {"data": data, "scores": scores, "hierarchy": hierarchy}
    given = {name: value for name, value in given.items() if value is not None}
    with said_by("save"):
        document, arrays = describe(model, getattr(model, ABOUT, {}) | given)
    with file_beside(path, "save", MODEL) as beside, said_by("save"):
        write(beside, document, arrays)
        with opened(beside) as archive:
            found, found_arrays = describe(*restore(archive))
        same = arrays.keys() == found_arrays.keys() and found == document
        if not same or not all(_equal(arrays[name], found_arrays[name]) for name in arrays):
            raise WrongError("what would be loaded is not what was saved. Nothing was written")
    return Path(path)


def load(path, *, device=None):
    """Read a pipeline that :func:`save` wrote.

    It gives the same answers as the one that was saved, and is an estimator like that one: it can
    be cloned, fitted anew, exported. Nothing that stands in the file is executed or imported, and
    no other file is opened. What is not as `save` writes it is a ValueError, in a moment.

    Parameters
    ----------
    path : str or path
        The file.
    device : str or None, default=None
        Where the network is to be, as in :class:`~sknote.NoteClassifier`; None is where it was, or
        the CPU where this machine has no such thing.

    Returns
    -------
    Pipeline
        Fitted. Its attribute ``about_`` is a dict of what `save` was told besides: ``data``,
        ``scores`` and ``hierarchy``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, was written by something else, or has a format of a later version.

    Notes
    -----
    The optimizer's state is not in the file. After an ordinary `fit` there is none, so that
    `partial_fit` goes on as it would have; after `partial_fit` and with ``warm_start`` the
    optimizer begins anew. Losses of single batches in ``history_``, what `set_fit_request` and the
    like have set, and a FeatureCache around the steps are not in it either. Files of one format
    are read by all later versions.

    Examples
    --------
    >>> from sknote.deploy import load
    >>> load("notes.sknote")  # doctest: +SKIP
    NotePipeline(steps=[('load', AudioLoader()), ...])
    """
    with reading(path, "load") as archive:
        pipeline, about = restore(archive, device)
    setattr(pipeline, ABOUT, about)
    return pipeline


@contextlib.contextmanager
def reading(path, name):
    """Open a file as an Archive; what is wrong with it is said by whom `name` is."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name}: expected the path of a file, got {type(path).__name__}.")
    shown = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{name}: there is no file {shown!r}.")
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"{name}: expected a file that sknote.deploy.save wrote, got the folder {shown!r}."
        )
    try:
        with opened(path) as archive, np.errstate(all="ignore"):
            yield archive
    except OSError as error:
        # of the same class, which a number in front would tell again
        raise type(error)(f"{name}: {shown!r} cannot be read: {error.strerror}.") from error
    except OtherFormatError as error:
        raise ValueError(
            f"{name}: {shown!r} has format {error}, and this version of sknote reads formats 1 "
            f"and {FORMAT}. Install a later one."
        ) from error
    except WrongError as error:
        if (found := other_kind(path)) is not None:
            kind, remedy = found
            raise ValueError(
                f"{name}: {shown!r} is {kind}, and no file that sknote.deploy.save wrote. {remedy}"
            ) from error
        raise ValueError(
            f"{name}: {shown!r} is not as sknote.deploy.save writes it: {error}. Copy it again, or "
            "save the pipeline again."
        ) from error


@contextlib.contextmanager
def said_by(name):
    """Let what is wrong with a pipeline be said by whom `name` is."""
    try:
        yield
    except WrongError as error:
        raise ValueError(f"{name}: {error}.") from error
    except NotFittedError as error:
        raise NotFittedError(f"{name}: expected a fitted pipeline. {error}") from error


def _equal(one, other):
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
