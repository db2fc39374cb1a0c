"""The two pipelines, by a network and by a classical baseline; and one module of a fitted one."""

import contextlib
import itertools
import os
import warnings

import numpy as np
from sklearn import get_config
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sknote._input.choices import nearest
from sknote._input.tables import check_takes_sounds
from sknote.classifier import NoteClassifier
from sknote.feature_extraction import (
    AudioLoader,
    FeatureCache,
    MFCCSummary,
    Spectrogram,
    WaveformAugment,
)
from sknote.nn import SpectrogramAugment
from sknote.spectral import SpectralAxes

__all__ = [
    "NotePipeline",
    "changed_since_fit",
    "make_baseline_pipeline",
    "make_note_pipeline",
    "note_model",
    "note_steps",
    "step_names",
]


def _last_step_has(method):
    return lambda pipeline: hasattr(pipeline.steps[-1][1], method)


class NotePipeline(Pipeline):
    """A pipeline in which later steps follow what is set in earlier ones.

    Where ``set_params`` changes a step, the loader's ``sample_rate`` is set in the step behind it,
    and the spectrogram's axes in the classifier, unless the same call gives them. So a search over
    ``spectrogram__hop_length`` needs no more than that. After `fit`, what decides how the
    spectrograms look may not be changed without another `fit`: `predict` refuses it.

    Parameters
    ----------
    steps, transform_input, memory, verbose
        As in :class:`~sklearn.pipeline.Pipeline`. What `memory` keeps goes by the paths in X: after
        a file has changed it gives the old features, of which `fit` warns.
        :class:`~sknote.feature_extraction.FeatureCache` goes by what the files contain.
    """

    def fit(self, X, y=None, **params):
        """Fit the steps, as :meth:`sklearn.pipeline.Pipeline.fit` does.

        Parameters
        ----------
        X, y, **params
            As there.

        Returns
        -------
        NotePipeline
            The pipeline itself.
        """
        plain = [name for name in params if "__" not in name]
        if plain and not get_config()["enable_metadata_routing"]:
            raise ValueError(
                f"NotePipeline: fit got {plain[0]!r}, and not for which of its steps. Put the name "
                f"of the step in front: pass {self.steps[-1][0]}__{plain[0]}=..."
            )
        self._check_sounds(X)
        audio = X["audio"] if "audio" in getattr(X, "columns", ()) else X
        paths = [one for one in audio if isinstance(one, (str, os.PathLike))] if self.memory else []
        if paths:
            warnings.warn(
                "NotePipeline: memory goes by the paths of recordings, and gives the old features "
                "after a file has changed. Put a FeatureCache around the first steps instead.",
                stacklevel=2,
            )
        return super().fit(X, y, **params)

    def _check_sounds(self, X):
        """Refuse a step that takes tables alone behind one that gives sounds, before any work."""
        steps = [step for _, step in self.steps if step is not None and step != "passthrough"]
        for before, step in itertools.pairwise(steps):
            gives = type(_flat(before)[-1]) if _flat(before) else None
            is_table = gives is AudioLoader and isinstance(X, np.ndarray)  # all have one length
            if gives in _GIVES and not is_table:
                check_takes_sounds(step, f"the {_GIVES[gives]} of {gives.__name__}", "NotePipeline")

    @available_if(_last_step_has("predict_with_confidence"))
    def predict_with_confidence(self, X):
        """Answer with the last step, as :class:`~sknote.confidence.SelectiveClassifier` does.

        Parameters
        ----------
        X : DataFrame, sequence or array
            Recordings.

        Returns
        -------
        DataFrame
            As its :meth:`~sknote.confidence.SelectiveClassifier.predict_with_confidence` gives it.
        """
        check_is_fitted(self)
        return self[-1].predict_with_confidence(self[:-1].transform(X))

    @available_if(_last_step_has("predict_set"))
    def predict_set(self, X):
        """Answer with the last step, as :class:`~sknote.confidence.ConformalClassifier` does.

        Parameters
        ----------
        X : DataFrame, sequence or array
            Recordings.

        Returns
        -------
        ndarray of bool of shape (n_notes, n_classes)
            As its :meth:`~sknote.confidence.ConformalClassifier.predict_set` gives it.
        """
        check_is_fitted(self)
        return self[-1].predict_set(self[:-1].transform(X))

    def set_params(self, **params):
        """Set parameters of the steps, and of others what follows from them.

        Parameters
        ----------
        **params : dict
            As in :meth:`sklearn.pipeline.Pipeline.set_params`.

        Returns
        -------
        NotePipeline
            The pipeline itself.
        """
        try:
            super().set_params(**params)
        except ValueError as error:
            known = _all_params(self)
            if wrong := [name for name in params if name not in known]:
                name, leaf = wrong[0], wrong[0].rpartition("__")[2]
                where = f" in {name!r}" if leaf != name else ""
                raise ValueError(
                    f"NotePipeline: Invalid parameter {leaf!r}{where}.{_meant(name, known)}"
                ) from error
            raise
        changed = {name.partition("__")[0] for name in params}
        steps = self.named_steps
        load, spectrogram, classify = map(steps.get, ("load", "spectrogram", "classify"))
        while not isinstance(classify, NoteClassifier) and hasattr(classify, "estimator"):
            classify = classify.estimator  # of a SelectiveClassifier, for example
        if changed & {"steps", "load"} and isinstance(load, AudioLoader):
            for name in ("spectrogram", "mfcc"):
                step, parameter = steps.get(name), f"{name}__sample_rate"
                if isinstance(step, (Spectrogram, MFCCSummary)) and parameter not in params:
                    step.set_params(sample_rate=load.sample_rate)
        both = isinstance(spectrogram, Spectrogram) and isinstance(classify, NoteClassifier)
        follows = changed & {"steps", "load", "spectrogram"} or "classify" in params
        is_told = any(name.startswith("classify__") and name.endswith("__axes") for name in params)
        if both and follows and not is_told:
            # what the spectrogram cannot compute with, its own `fit` refuses
            with contextlib.suppress(ValueError, TypeError):
                if not (classify.axes or SpectralAxes()).agrees_with(spectrogram.axes):
                    classify.set_params(axes=spectrogram.axes)
        return self


_GIVES = {AudioLoader: "waveforms", WaveformAugment: "waveforms", Spectrogram: "spectrograms"}


def _all_params(pipeline):
    """Name all parameters that can be set, those of an "auto" augmentation too."""
    params = pipeline.get_params()
    augment = SpectrogramAugment().get_params()
    steps = [name for name, value in params.items() if isinstance(value, NoteClassifier)]
    return [*params, *(f"{step}__augment__{name}" for step in steps for name in augment)]


def _meant(name, known):
    """Say which parameter of a step, or which one that looks alike, a name was meant to be."""
    leaf = name.rpartition("__")[2]
    of_steps = [one for one in known if "__" in one and one.rpartition("__")[2] == leaf]
    if of_steps:
        return f" Parameters of a step have its name in front: pass {' or '.join(of_steps[:3])}."
    step = name.partition("__")[0]
    inside = [one for one in known if one.startswith(f"{step}__")] if "__" in name else []
    leaves = {one.rpartition("__")[2]: one for one in reversed(inside or known)}
    if near := nearest(leaf, leaves):
        return f" Did you mean {leaves[near[0]]!r}?"
    if inside:
        own = [one.partition("__")[2] for one in inside]
        return f" The step has the parameters {sorted(one for one in own if '__' not in one)}."
    return f" Parameters of a step have its name in front, as in {known[-1]}."


def make_note_pipeline(**params):
    """Make the pipeline that hears how a note was played.

    Its steps are ``load`` (:class:`~sknote.AudioLoader`), ``spectrogram``
    (:class:`~sknote.Spectrogram`) and ``classify`` (:class:`~sknote.NoteClassifier`), each with
    its defaults: it is ``make_pipeline(AudioLoader(), Spectrogram(), NoteClassifier())`` with
    names, and with steps that follow each other.

    Parameters
    ----------
    **params : dict
        Parameters of the steps, as in ``classify__max_epochs=10``. What steps must agree on
        follows by itself, as :class:`NotePipeline` says.

    Returns
    -------
    NotePipeline
        An unfitted pipeline for recordings: paths, bytes, file objects or waveforms, in a
        DataFrame with the columns ``audio`` and ``instrument`` or in a list.

    See Also
    --------
    sknote.feature_extraction.FeatureCache : Keeps the spectrograms on disk, as in
        ``make_pipeline(FeatureCache(pipeline[:-1], "features"), pipeline[-1])``.

    Examples
    --------
    >>> from sknote import make_note_pipeline
    >>> from sknote.datasets import make_notes
    >>> notes = make_notes(40, labels=["good-sound", "bad-richness"], random_state=0)
    >>> pipeline = make_note_pipeline(classify__max_epochs=2, classify__random_state=0)
    >>> pipeline.fit(notes.data, notes.target).predict(notes.data).shape
    (40,)
    """
    steps = [
        ("load", AudioLoader()),
        ("spectrogram", Spectrogram()),
        ("classify", NoteClassifier()),
    ]
    return NotePipeline(steps).set_params(**params)


def make_baseline_pipeline(**params):
    """Make the classical pipeline to compare with: gradient boosting on statistics of MFCC.

    Its steps are ``load`` (:class:`~sknote.AudioLoader`), ``mfcc``
    (:class:`~sknote.MFCCSummary`) and ``classify``
    (:class:`~sklearn.ensemble.HistGradientBoostingClassifier`, which takes the instrument as a
    category). Its leaves are small and regularized: at scikit-learn's own settings boosting
    collapses where dozens of classes have a handful of notes.

    Parameters
    ----------
    **params : dict
        Parameters of the steps, as in ``mfcc__n_mfcc=13``.

    Returns
    -------
    NotePipeline
        An unfitted pipeline for recordings, as in :func:`make_note_pipeline`.

    Examples
    --------
    >>> from sknote import make_baseline_pipeline
    >>> make_baseline_pipeline(mfcc__n_mfcc=13)[1]
    MFCCSummary(n_mfcc=13)
    """
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=60,
        max_leaf_nodes=15,
        min_samples_leaf=5,
        l2_regularization=1.0,
        early_stopping=False,
    )
    return NotePipeline(
        [
            ("load", AudioLoader()),
            ("mfcc", MFCCSummary()),
            ("classify", boosting),
        ]
    ).set_params(**params)


def note_steps(pipeline, name, whole=None):
    """Take the three steps out of a pipeline, also where a search, cache or pipeline holds some.

    Parameters
    ----------
    pipeline : Pipeline
        With an :class:`~sknote.AudioLoader`, a :class:`~sknote.Spectrogram` and a
        :class:`~sknote.NoteClassifier`, in this order.
    name : str
        Who asks for them, for messages.
    whole : estimator or None, default=None
        What the pipeline was taken out of, whose steps a message names; None is itself.

    Returns
    -------
    load, spectrogram, classify

    Raises
    ------
    TypeError
        If it has other steps.
    """
    steps = _flat(pipeline)
    wanted = (AudioLoader, Spectrogram, NoteClassifier)
    if len(steps) != len(wanted) or not all(map(isinstance, steps, wanted)):
        names = step_names(pipeline if whole is None else whole)
        way = _way_inside(steps[-1], name) if steps else "Make it with make_note_pipeline."
        raise TypeError(
            f"{name}: expected a pipeline with the steps AudioLoader, Spectrogram and "
            f"NoteClassifier, got {names}. {way}"
        )
    return steps


def step_names(model):
    """Name the steps of a model for messages; of those around others with these in brackets."""
    names = []
    for step in _flat(model):
        params = step.get_params(deep=False) if hasattr(step, "get_params") else {}
        inside = params.get("estimator")
        within = f"({', '.join(step_names(inside))})" if hasattr(inside, "fit") else ""
        names.append(f"{type(step).__name__}{within}")
    return names


def _way_inside(step, name):
    """Say what to take out of an estimator that has others inside, and what is lost with it."""
    kind = type(step).__name__
    is_other = isinstance(step, ClassifierMixin) and not isinstance(step, NoteClassifier)
    kept = ", or keep the whole by joblib.dump" if name in ("save", "export_onnx") else ""
    if is_other and not _has_network(step):
        return f"Make it with make_note_pipeline{kept}."
    if hasattr(step, "calibrated_classifiers_"):
        part = "calibrated_classifiers_[0].estimator"
        return f"Take the {part} of {kind}, and calibrate its answers in the app{kept}."
    if hasattr(step, "estimators_"):
        return (
            f"Take each of the estimators_ of {kind}, with the steps that are in front of it, into "
            f"a file of its own, and put the answers together in the app{kept}."
        )
    if hasattr(step, "estimator_"):
        return f"Take the estimator_ of {kind}, and decide by its probabilities in the app{kept}."
    if hasattr(step, "estimator") and _is_taken(step, name):
        return f"Fit {kind} first; a search must have a best_estimator_ (refit=True)."
    if hasattr(step, "refit"):
        return _way_inside(_flat(step.estimator)[-1], name)
    if hasattr(step, "estimator") or hasattr(step, "estimators"):
        return (
            f"Take what is inside of {kind} after its fit, and decide by its probabilities in the "
            f"app{kept}."
        )
    return "Make it with make_note_pipeline."


def _is_taken(step, name):
    """Tell whether an estimator that has a network inside is taken after a fit."""
    if hasattr(step, "refit"):  # a search
        return _is_taken(_flat(step.estimator)[-1], name)
    is_calibrated = name == "export_onnx" and isinstance(step, CalibratedClassifierCV)
    is_plain = isinstance(step, NoteClassifier)
    return is_plain or is_calibrated or hasattr(step, "predict_with_confidence")


def _has_network(step):
    params = step.get_params() if hasattr(step, "get_params") else {}
    return any(isinstance(inner, NoteClassifier) for inner in params.values())


def _flat(step):
    if hasattr(step, "best_estimator_"):  # of a search
        return _flat(step.best_estimator_)
    if isinstance(step, FrozenEstimator):
        return _flat(step.estimator)
    if isinstance(step, Pipeline):
        parts = [part for _, part in step.steps if part is not None and part != "passthrough"]
        return [inner for part in parts for inner in _flat(part)]
    return _flat(step.transformer) if isinstance(step, FeatureCache) else [step]


def changed_since_fit(spectrogram, classify):
    """Say in what spectrograms differ from those that a classifier was fitted on; "" if not."""
    if not classify.axes_.agrees_with(spectrogram.axes):
        return (
            f"the classifier was fitted on spectrograms of {classify.axes_}, and now they have "
            f"{spectrogram.axes}"
        )
    changed = classify.other_spectrograms(spectrogram.meaning()) or spectrogram.changed_since_fit()
    return changed and f"since the classifier was fitted was changed {changed}"


def note_model(pipeline, *, portable=False, caller="note_model"):
    """Make one module of torch of a fitted pipeline: from waveforms to probabilities.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, as :func:`make_note_pipeline` makes it; the loader is not part of the module.
    portable : bool, default=False
        Keep to operations that the runtimes of exported models are fast at.
    caller : str, default="note_model"
        The first word of errors.

    Returns
    -------
    sknote.nn.NoteModel
        In evaluation mode, with the classifier's own network.

    Raises
    ------
    NotFittedError
        If the pipeline is not fitted.
    ValueError
        If the spectrogram was changed since the classifier was fitted.
    """
    _, spectrogram, classify = note_steps(pipeline, caller)
    for step in (classify, spectrogram):
        said = f"{caller}: expected a fitted pipeline, and its %(name)s is not. Call fit first."
        check_is_fitted(step, msg=said)
    if changed := changed_since_fit(spectrogram, classify):
        raise ValueError(f"{caller}: {changed}. Fit the pipeline again.")
    model = classify.model_
    model.frontend = spectrogram.frontend(portable=portable)
    model.normalization = spectrogram.normalization()
    return model.eval()
