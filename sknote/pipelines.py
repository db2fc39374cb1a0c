"""The two pipelines: from recordings to labels by a network, and by a classical baseline."""

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from sknote.classifier import NoteClassifier
from sknote.feature_extraction import AudioLoader, MFCCSummary, Spectrogram

__all__ = ["make_baseline_pipeline", "make_note_pipeline"]

_SAMPLE_RATE = 22050


def make_note_pipeline(**params):
    """Make the pipeline that hears how a note was played.

    Its steps are ``load`` (:class:`~sknote.AudioLoader`), ``spectrogram``
    (:class:`~sknote.Spectrogram`) and ``classify`` (:class:`~sknote.NoteClassifier`).

    Parameters
    ----------
    **params : dict
        Parameters of the steps, as in ``classify__max_epochs=10``. Unless they are given,
        ``classify__frame_rate`` follows the hop of the spectrogram.

    Returns
    -------
    Pipeline
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
    pipeline = Pipeline(
        [
            ("load", AudioLoader(_SAMPLE_RATE)),
            (
                "spectrogram",
                Spectrogram(_SAMPLE_RATE, scale="log", n_fft=4096, n_bins=200, top_db=None),
            ),
            ("classify", NoteClassifier()),
        ]
    ).set_params(**params)
    if "classify__frame_rate" not in params:
        spectrogram = pipeline.named_steps["spectrogram"]
        pipeline.set_params(classify__frame_rate=spectrogram.frame_rate)
    return pipeline


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
    Pipeline
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
    return Pipeline(
        [
            ("load", AudioLoader(_SAMPLE_RATE)),
            ("mfcc", MFCCSummary(_SAMPLE_RATE)),
            ("classify", boosting),
        ]
    ).set_params(**params)
