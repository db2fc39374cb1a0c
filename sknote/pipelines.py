"""The two pipelines: from recordings to labels by a network, and by a classical baseline."""

import contextlib

from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from sknote.classifier import NoteClassifier
from sknote.feature_extraction import AudioLoader, MFCCSummary, Spectrogram
from sknote.nn import SpectrogramAugment

__all__ = ["NotePipeline", "make_baseline_pipeline", "make_note_pipeline"]

_SAMPLE_RATE = 22050


class NotePipeline(Pipeline):
    """The pipelines of this module, whose steps agree with each other.

    Where ``set_params`` changes a step, what follows from that is set in the steps behind it,
    unless the same call gives it: the loader's ``sample_rate``, and of the spectrogram the
    classifier's ``frame_rate`` and the frequency axis of its ``augment``. So a search over
    ``spectrogram__hop_length`` needs no more than that.

    Parameters
    ----------
    steps, transform_input, memory, verbose
        As in :class:`~sklearn.pipeline.Pipeline`.
    """

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
        super().set_params(**params)
        changed = {name.partition("__")[0] for name in params}
        if changed & {"steps", "load"}:
            self._follow_loader(params)
        if changed & {"steps", "load", "spectrogram"}:
            self._follow_spectrogram(params)
        return self

    def _follow_loader(self, given):
        load = self.named_steps.get("load")
        for name in ("spectrogram", "mfcc"):
            step = self.named_steps.get(name)
            known = isinstance(load, AudioLoader) and isinstance(step, (Spectrogram, MFCCSummary))
            if known and f"{name}__sample_rate" not in given:
                step.set_params(sample_rate=load.sample_rate)

    def _follow_spectrogram(self, given):
        spectrogram, classify = map(self.named_steps.get, ("spectrogram", "classify"))
        if not (isinstance(spectrogram, Spectrogram) and isinstance(classify, NoteClassifier)):
            return
        if "classify__frame_rate" not in given:
            # what the spectrogram cannot compute with, its own `fit` refuses
            with contextlib.suppress(KeyError, TypeError, ZeroDivisionError):
                classify.set_params(frame_rate=spectrogram.frame_rate)
        scale, augment = spectrogram.scale, classify.augment
        if {"classify__augment", "classify__augment__scale"} & set(given):
            return
        if augment is None or (augment == "auto" and scale == "log"):
            return
        augment = SpectrogramAugment() if augment == "auto" else clone(augment)
        augment.set_params(scale=scale, sample_rate=spectrogram.sample_rate)
        classify.set_params(augment=augment)


def make_note_pipeline(**params):
    """Make the pipeline that hears how a note was played.

    Its steps are ``load`` (:class:`~sknote.AudioLoader`), ``spectrogram``
    (:class:`~sknote.Spectrogram`) and ``classify`` (:class:`~sknote.NoteClassifier`).

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
    spectrogram = Spectrogram(_SAMPLE_RATE, scale="log", n_fft=4096, top_db=None)
    steps = [
        ("load", AudioLoader(_SAMPLE_RATE)),
        ("spectrogram", spectrogram),
        ("classify", NoteClassifier()),
    ]
    return NotePipeline(steps).set_params(**params)


def make_baseline_pipeline(**params):
    """Make the classical pipeline to compare with: gradient boosting on summarised MFCC.

    Its steps are ``load`` (:class:`~sknote.AudioLoader`), ``mfcc``
    (:class:`~sknote.MFCCSummary`) and ``classify``
    (:class:`~sklearn.ensemble.HistGradientBoostingClassifier`, which takes the instrument as a
    category). Its leaves are small and regularised: at scikit-learn's own settings boosting
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
            ("load", AudioLoader(_SAMPLE_RATE)),
            ("mfcc", MFCCSummary(_SAMPLE_RATE)),
            ("classify", boosting),
        ]
    ).set_params(**params)
