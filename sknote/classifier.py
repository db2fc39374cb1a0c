"""NoteClassifier: spectrograms and instruments to labels."""

import copy
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sknote._classifier_net import NetMixin
from sknote._classifier_notes import MODULES, NotesMixin
from sknote._validation import check_labels, unpack
from sknote.nn import (
    BatchLoader,
    SpectrogramAugment,
    in_threads,
    length_batches,
    torch_threads,
)

_PREDICT_BATCH = 64
_TORCH_TYPES = {np.float32: torch.float32, np.float64: torch.float64}


class NoteClassifier(ClassifierMixin, NetMixin, NotesMixin, BaseEstimator):
    """Classify notes by a neural network on their spectrograms.

    Parameters
    ----------
    module : {"compact", "analyzer", "starter"} or nn.Module class, default="compact"
        The network: :class:`~sknote.nn.CompactNet`, :class:`~sknote.nn.NoteAnalyzer`,
        :class:`~sknote.nn.SimpleStarterModel`, or a class of your own. It is called with
        ``num_instruments`` and ``num_classes`` (and ``n_bins`` and ``frame_rate`` if its
        constructor names them), and its ``forward`` with ``spectrogram, lengths, instrument``; it
        returns logits of shape (batch, num_classes). If it has a ``summarize``, as
        :class:`~sknote.nn.CompactNet` has, ``spectrogram`` is what that made of each note.
    module_params : dict or None, default=None
        Further arguments of the network, such as ``{"dropout": 0.5}``.
    max_epochs : int, default=30
        Number of passes over the training notes.
    batch_size : int, default=48
        Notes in a batch.
    lr : float, default=4e-3
        Highest learning rate of the one-cycle schedule of AdamW.
    weight_decay : float, default=0.05
        Weight decay of AdamW.
    gradient_clip : float or None, default=2.0
        Largest norm of the gradient.
    label_smoothing : float, default=0.0
        Share of each target that is spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, as in scikit-learn.
    augment : "auto", SpectrogramAugment or None, default="auto"
        Augmentation of the training batches, never used to predict. "auto" is
        :class:`~sknote.nn.SpectrogramAugment` with its defaults.
    max_train_seconds : float or None, default=4.0
        Longest stretch of a note that is shown in a training step, in seconds; a longer note shows
        another stretch in each epoch. `predict` hears all of it, and so does a network that
        summarizes notes.
    instrument_dropout : float, default=0.1
        Share of training notes whose instrument is hidden, from which the "unknown" instrument is
        learned.
    frame_rate : float, default=22050 / 512
        Frames per second of the spectrograms.
    validation_fraction : float or None, default=None
        Share of the notes, whole groups of them, that is set aside in `fit`; the weights of the
        epoch with the smallest loss on it are kept. None trains on all notes and keeps the last
        weights, which the one-cycle schedule has brought to rest. In an
        :class:`~sknote.model_selection.OptunaSearch` with a pruner and `steps_per_fold`, the
        accuracy on this part is reported after each epoch, so that a poor fit can be stopped.
    patience : int or None, default=None
        Stop after this many epochs without a smaller validation loss.
    callbacks : list of skorch callbacks or None, default=None
        Added to the net's own.
    warm_start : bool, default=False
        Let `fit` go on from the present weights.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the training's matrix products; "auto" is bfloat16 where the processor has
        units for it (AMX, CUDA), else float32. `predict` never uses bfloat16.
    device : str, default="cpu"
        "cpu", "cuda", "auto" (CUDA if there is one) or any name that torch knows.
    n_threads : int or None, default=None
        Number of threads; None is torch's own choice.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None
        Seed of weights, dropout, batches, augmentation and validation part. The same seed gives
        the same model on the same machine; torch's global generator is left alone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    instruments_ : list of str
        Instruments seen in `fit`; any other one is "unknown" to `predict`.
    n_bins_, frame_rate_ : int, float
        Number of bins, and frames per second, of the spectrograms.
    module_class_ : nn.Module class
        That of the network.
    mean_, scale_ : ndarray of shape (n_bins,), or (n_rows, 1) for a network that summarizes
        Mean and standard deviation of the training frames, or of the rows of their summaries;
        inputs are standardised by them.
    net_ : skorch.NeuralNet
        The trained net.
    history_ : skorch.history.History
        One dict per epoch: ``train_loss``, ``dur`` and more; with a validation part also
        ``valid_loss`` and ``valid_accuracy``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Equal notes with equal labels are one note with the sum of their weights, and the order of rows
    means nothing: an integer ``sample_weight`` is the same as a repetition.

    ``float64`` arrays are predicted in float64, everything else in float32.

    Examples
    --------
    >>> from sknote import NoteClassifier, Spectrogram
    >>> from sknote.datasets import make_notes
    >>> notes = make_notes(40, labels=["good-sound", "bad-richness"], random_state=0)
    >>> X = Spectrogram(scale="log").fit_transform(notes.data)
    >>> model = NoteClassifier(max_epochs=3, random_state=0).fit(X, notes.target)
    >>> model.predict_proba(X).shape
    (40, 2)
    """

    _parameter_constraints = {
        "module": [StrOptions(set(MODULES)), callable],
        "module_params": [dict, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "augment": [StrOptions({"auto"}), SpectrogramAugment, None],
        "max_train_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "instrument_dropout": [Interval(Real, 0, 1, closed="left")],
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "device": [str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        module="compact",
        *,
        module_params=None,
        max_epochs=30,
        batch_size=48,
        lr=4e-3,
        weight_decay=0.05,
        gradient_clip=2.0,
        label_smoothing=0.0,
        class_weight=None,
        augment="auto",
        max_train_seconds=4.0,
        instrument_dropout=0.1,
        frame_rate=22050 / 512,
        validation_fraction=None,
        patience=None,
        callbacks=None,
        warm_start=False,
        precision="auto",
        device="cpu",
        n_threads=None,
        verbose=0,
        random_state=None,
    ):
        self.module = module
        self.module_params = module_params
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.gradient_clip = gradient_clip
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.augment = augment
        self.max_train_seconds = max_train_seconds
        self.instrument_dropout = instrument_dropout
        self.frame_rate = frame_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.precision = precision
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose
        self.random_state = random_state

    def set_params(self, **params):
        """Set parameters, as in scikit-learn.

        Parameters
        ----------
        **params : dict
            Of the classifier, and ``augment__semitones=2`` and the like of its `augment`, where
            "auto" becomes a :class:`~sknote.nn.SpectrogramAugment`.

        Returns
        -------
        NoteClassifier
            The classifier itself.
        """
        nested = any(name.startswith("augment__") for name in params)
        if nested and params.get("augment", self.augment) == "auto":
            params["augment"] = SpectrogramAugment()
        return super().set_params(**params)

    def fit(self, X, y, sample_weight=None, groups=None):
        """Train the network.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms of shape (n_frames, n_bins); a column ``instrument`` if there is one. An
            array has shape (n_notes, n_frames, n_bins), or (n_notes, n_bins) for single frames.
        y : array-like of shape (n_notes,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n_notes,) or None, default=None
            Weight of each note in the loss; None is 1.
        groups : array-like of shape (n_notes,) or None, default=None
            What the validation part must not tear apart; None means that each note is a group of
            its own.

        Returns
        -------
        NoteClassifier
            The classifier itself.
        """
        self._validate_params()
        if self.patience is not None and self.validation_fraction is None:
            raise ValueError(
                "NoteClassifier: patience needs a validation part to watch. "
                "Set validation_fraction, for example to 0.1."
            )
        go_on = self.warm_start and hasattr(self, "net_")
        items, instrument = unpack(self, X, ndim=2, reset=not go_on)
        y = check_labels(y, len(items), "NoteClassifier")
        classes = self._check_classes(y, self.classes_ if go_on else None)
        notes = self._prepare(items, instrument, y, sample_weight, groups, classes, go_on)
        return self._train(notes, classes, go_on=go_on, n_epochs=self.max_epochs, one_cycle=True)

    def partial_fit(self, X, y, classes=None, sample_weight=None, groups=None):
        """Train for one epoch at the constant learning rate `lr`.

        Parameters
        ----------
        X, y : DataFrame, sequence or array, and array-like
            As in :meth:`fit`.
        classes : array-like or None, default=None
            All labels that will ever come; needed in the first call only, and there None means
            those in `y`. Instruments that the first call did not see stay unknown.
        sample_weight, groups : array-like or None, default=None
            As in :meth:`fit`.

        Returns
        -------
        NoteClassifier
            The classifier itself.
        """
        self._validate_params()
        go_on = hasattr(self, "net_")
        items, instrument = unpack(self, X, ndim=2, reset=not go_on)
        y = check_labels(y, len(items), "NoteClassifier")
        if go_on:
            known = self.classes_
        elif classes is not None:
            known = np.unique(check_labels(classes, len(classes), "NoteClassifier"))
        else:
            known = None
        classes = self._check_classes(y, known)
        notes = self._prepare(items, instrument, y, sample_weight, groups, classes, go_on)
        return self._train(notes, classes, go_on=go_on, n_epochs=1, one_cycle=False)

    def predict_proba(self, X):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms, as in :meth:`fit`. A missing or new instrument counts as unknown.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.
        """
        check_is_fitted(self)
        items, instrument = unpack(self, X, ndim=2, reset=False)
        self._check_bins(items, self.n_bins_)
        exact = any(item.dtype == np.float64 for item in items)
        dtype = np.float64 if exact else np.float32
        module = self.net_.module_
        module = copy.deepcopy(module).double() if exact else module
        if module.training:
            module.eval()
        lengths = np.array([len(item) for item in items])
        codes = self._encode_instrument(instrument, len(items))
        logits = np.empty((len(items), len(self.classes_)))

        def compute(rows):
            with torch.inference_mode():
                notes = self._summarized({"items": [items[row] for row in rows]}, dtype, 1)
                batch = self._dataset(notes, codes[rows], dtype=_TORCH_TYPES[dtype])
                ((x, _),) = BatchLoader(batch, len(rows))
                x = {key: value.to(self.net_.device) for key, value in x.items()}
                logits[rows] = module(**x).double().cpu().numpy()

        batches = list(length_batches(lengths, _PREDICT_BATCH))
        if hasattr(module, "network_calls"):
            in_threads(compute, batches, self.n_threads)
        else:
            with torch_threads(self.n_threads):
                for rows in batches:
                    compute(rows)
        logits -= logits.max(axis=1, keepdims=True)
        proba = np.exp(logits)
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms, as in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_notes,)
            Members of `classes_`.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
