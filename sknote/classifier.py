"""NoteClassifier: spectrograms and instruments to labels."""

import math
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sknote._compat import StrOptions
from sknote._input.checks import (
    check_all_classes,
    check_classes,
    check_labels,
    check_threads,
    unpack,
)
from sknote._input.choices import warn_of_blanks, warn_of_misspelt, warn_of_twins, warn_of_unheard
from sknote._input.forms import carried_by, name_rows, other_values
from sknote._interval import Interval, plain_number
from sknote._params import unchanged_on_error
from sknote._torch import torch_threads
from sknote.model_selection import grouped_validation_split, report_epoch
from sknote.model_selection._lost_groups import warn_of_lost_groups
from sknote.nn import (
    CompactNet,
    NoteAnalyzer,
    NoteModel,
    RecordingAugment,
    SimpleStarterModel,
    SpectrogramAugment,
)
from sknote.nn.networks import network_params
from sknote.nn.training import (
    TrainingOptions,
    check_callbacks,
    check_same_network,
    class_weights,
    prepare_notes,
    train,
    training_data,
)
from sknote.spectral import SpectralAxes
from sknote.spectral._axes import agreed_axes
from sknote.spectral._silence import silent_rows

_AUGMENTS = {"auto": RecordingAugment.studio, "practice": RecordingAugment}
_FEWEST_EPOCHS, _MOST_EPOCHS, _ENOUGH_STEPS = 40, 100, 2000
_NETWORKS = {"compact": CompactNet, "analyzer": NoteAnalyzer, "starter": SimpleStarterModel}


class NoteClassifier(ClassifierMixin, BaseEstimator):
    """Classify notes by a neural network on their spectrograms.

    Parameters
    ----------
    module : {"compact", "analyzer", "starter"} or nn.Module class, default="compact"
        The network: :class:`~sknote.nn.CompactNet`, :class:`~sknote.nn.NoteAnalyzer`,
        :class:`~sknote.nn.SimpleStarterModel`, or a class of your own;
        :class:`~sknote.nn.NoteNetwork` says what it is called with.
    module_params : dict or None, default=None
        Further arguments of the network, such as ``{"dropout": 0.5}``.
    axes : SpectralAxes or None, default=None
        What frames and bins mean, as ``Spectrogram(...).axes`` says; None is
        ``Spectrogram().axes``, with any number of bins. Spectrograms that say themselves what they
        are on, as those in a DataFrame or sequence do, are refused if it is something else.
    level : {"absolute", "relative"}, default="absolute"
        Whether the network may know how loud a recording is. "relative" takes that from all notes,
        in `fit` and in `predict`: any gain, where nothing is clipped nor lost in the floor of
        spectrograms (as from a peak of -35 dBFS down), gives the same answers. Dynamics are then
        told by the sound alone.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training notes. "auto" is 40, or more if notes are few: as many as
        make 2,000 steps, and at most 100.
    batch_size : int, default=48
        Notes in a batch.
    lr : float, default=4e-3
        Highest learning rate of the one-cycle schedule of AdamW.
    pct_start : float, default=0.2
        Share of the steps in which the rate rises, at least one of them.
    div_factor : float, default=25.0
        The rate begins at ``lr / div_factor``...
    final_div_factor : float, default=1e3
        ... and ends at ``lr / div_factor / final_div_factor``, as in
        :class:`torch.optim.lr_scheduler.OneCycleLR`.
    weight_decay : float, default=0.05
        Weight decay of AdamW.
    gradient_clip : float or None, default=2.0
        Largest norm of the gradient.
    label_smoothing : float, default=0.0
        Share of each target that is spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, as in scikit-learn.
    augment : {"auto", "practice"}, SpectrogramAugment or None, default="auto"
        Augmentation of the training notes, never used to predict. "practice" is
        :class:`~sknote.nn.RecordingAugment`, for recordings of users, made elsewhere than those of
        `fit`; "auto" is as much of it as a studio has,
        :meth:`~sknote.nn.RecordingAugment.studio`.
    max_train_seconds : float or None, default=4.0
        Longest stretch of a note that is shown in a training step, in seconds; a longer note shows
        another stretch in each epoch. `predict` hears all of it, and so does a network that looks
        at descriptions.
    instrument_dropout : float, default=0.1
        Share of training notes whose instrument is hidden, from which the "unknown" instrument is
        learned.
    validation_fraction : float or None, default=None
        Share of the notes, whole groups of them, that is set aside in `fit`; the weights of the
        epoch that is best on it are kept. None trains on all notes and keeps the last weights,
        which the one-cycle schedule has brought to rest. In an
        :class:`~sknote.model_selection.OptunaSearch` with a pruner and `steps_per_fold`, the
        accuracy on this part is reported after each epoch, so that a poor fit can be stopped.
    monitor : {"valid_loss", "valid_accuracy"}, default="valid_loss"
        What makes an epoch the best on the validation part: the smallest loss, or the highest
        accuracy, and of equal ones the first.
    patience : int or None, default=None
        Stop after this many epochs in a row in which `monitor` was not better than before.
    callbacks : list of skorch callbacks or None, default=None
        Added to the net's own; as in skorch, each may be a class that needs no arguments, or a pair
        of a name and a callback. Those that score see labels and probabilities; an LRScheduler
        takes the place of the one-cycle schedule.
    warm_start : bool, default=False
        Let `fit` go on from the present weights, with the same `module`, `module_params`, `level`.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the training's matrix products; "auto" is bfloat16 where the processor has
        units for it (AMX, AVX-512 BF16, CUDA), else float32. `predict` never uses bfloat16.
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
    class_count_ : ndarray of shape (n_classes,)
        Sum of the weights of the notes of each class, as fitted.
    axes_ : SpectralAxes
        What frames and bins of the spectrograms mean.
    level_ : str
        `level`, as fitted.
    mean_, scale_ : dict of str to ndarray
        Mean and standard deviation, by which the network's inputs are standardized: of
        ``"spectrogram"``, shape (n_bins,); or, for the default network, of ``"profiles"``, shape
        (n_rows, 1).
    net_ : skorch.NeuralNet
        The trained net.
    history_ : skorch.history.History
        One dict per epoch: ``train_loss``, ``dur`` and more; with a validation part also
        ``valid_loss`` and ``valid_accuracy``, and whether each was the best so far:
        ``valid_loss_best`` and ``valid_accuracy_best``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Equal notes with equal labels are one note with the sum of their weights, and the order of rows
    means nothing: an integer ``sample_weight`` is the same as a repetition.

    ``float64`` arrays are predicted in float64, everything else in float32.

    A note is what sounds: frames at its ends that are much softer than the loudest one (by 25 dB
    before it, by 40 dB after it), or hardly above the noise around it, are left out of spectrograms
    in dB, in `fit` and in `predict`.

    A note without any sound, such as one that could not be read, is left out of `fit`, and
    `predict_proba` gives it the frequencies of the classes; an
    :class:`~sknote.exceptions.NoSoundWarning` names its row. A `fit` that fails leaves the
    classifier as it was. The optimizer's state is kept for further training only by `partial_fit`
    and with `warm_start`. In a forked process all is computed in one thread.

    Examples
    --------
    >>> from sknote import NoteClassifier, Spectrogram
    >>> from sknote.datasets import make_notes
    >>> notes = make_notes(40, labels=["good-sound", "bad-richness"], random_state=0)
    >>> X = Spectrogram().fit_transform(notes.data)
    >>> model = NoteClassifier(max_epochs=3, random_state=0).fit(X, notes.target)
    >>> model.predict_proba(X).shape
    (40, 2)
    """

    _parameter_constraints = {
        "module": [StrOptions(set(_NETWORKS)), callable],
        "module_params": [dict, None],
        "axes": [SpectralAxes, None],
        "level": [StrOptions({"absolute", "relative"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "pct_start": [Interval(Real, 0, 1, closed="both")],
        "div_factor": [Interval(Real, 1, None, closed="left")],
        "final_div_factor": [Interval(Real, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "augment": [StrOptions(set(_AUGMENTS)), SpectrogramAugment, None],
        "max_train_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "instrument_dropout": [Interval(Real, 0, 1, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "monitor": [StrOptions({"valid_loss", "valid_accuracy"})],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "device": [str],
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        module="compact",
        *,
        module_params=None,
        axes=None,
        level="absolute",
        max_epochs="auto",
        batch_size=48,
        lr=4e-3,
        pct_start=0.2,
        div_factor=25.0,
        final_div_factor=1e3,
        weight_decay=0.05,
        gradient_clip=2.0,
        label_smoothing=0.0,
        class_weight=None,
        augment="auto",
        max_train_seconds=4.0,
        instrument_dropout=0.1,
        validation_fraction=None,
        monitor="valid_loss",
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
        self.axes = axes
        self.level = level
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.weight_decay = weight_decay
        self.gradient_clip = gradient_clip
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.augment = augment
        self.max_train_seconds = max_train_seconds
        self.instrument_dropout = instrument_dropout
        self.validation_fraction = validation_fraction
        self.monitor = monitor
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
            "auto" and "practice" become what they stand for.

        Returns
        -------
        NoteClassifier
            The classifier itself.
        """
        nested = any(name.startswith("augment__") for name in params)
        name = params.get("augment", self.augment)
        if nested and isinstance(name, str) and name in _AUGMENTS:
            params["augment"] = _AUGMENTS[name]()
        elif nested and name is None:
            raise ValueError(
                "NoteClassifier: augment is None, which has no parameters to set. Pass "
                'augment="auto" or "practice" beside them.'
            )
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
        go_on = self.warm_start and hasattr(self, "net_")
        return self._fit(X, y, sample_weight, groups, go_on=go_on)

    def partial_fit(self, X, y, classes=None, sample_weight=None, groups=None):
        """Train for one epoch at the constant learning rate `lr`.

        Parameters
        ----------
        X, y : DataFrame, sequence or array, and array-like
            As in :meth:`fit`.
        classes : array-like or None, default=None
            All labels that will ever come; needed in the first call only, and there None means
            those in `y`. Later ones must be the same. Instruments that the first call did not see
            stay unknown.
        sample_weight, groups : array-like or None, default=None
            As in :meth:`fit`.

        Returns
        -------
        NoteClassifier
            The classifier itself.
        """
        go_on = hasattr(self, "net_")
        classes = check_all_classes(classes, self.classes_ if go_on else None, "NoteClassifier")
        return self._fit(X, y, sample_weight, groups, go_on=go_on, classes=classes, n_epochs=1)

    def _fit(self, X, y, sample_weight, groups, **how):
        """Train in the threads that are asked for; what fails leaves no trace."""
        self._validate_params()
        watches_accuracy = self.monitor == "valid_accuracy"
        if self.validation_fraction is None and (watches_accuracy or self.patience is not None):
            name = f"monitor={self.monitor!r}" if watches_accuracy else "patience"
            raise ValueError(
                f"NoteClassifier: {name} needs a validation part to watch. "
                "Set validation_fraction, for example to 0.1."
            )
        with unchanged_on_error(self), torch_threads(self.n_threads):
            return self._train(X, y, sample_weight, groups, **how)

    def _train(self, X, y, sample_weight, groups, *, go_on, classes=None, n_epochs=None):
        """Train anew, or go on; for a number of epochs at a constant rate, or the whole cycle."""
        items, instrument = unpack(self, X, ndim=2, reset=not go_on)
        axes = self._check_axes(X, items, self.axes_ if go_on else None)
        self._as_fitted = getattr(self, "_as_fitted", None) if go_on else None
        self._as_fitted = self._as_fitted or carried_by(X, "spectrogram")
        y = check_labels(y, len(items), "NoteClassifier")
        classes = check_classes(y, self.classes_ if go_on else classes, "NoteClassifier")
        consequence = "Notes without sound are left out of the training."
        silent = silent_rows(items, X, name="NoteClassifier", consequence=consequence, y=y)
        notes = prepare_notes(items, instrument, y, classes, sample_weight, groups, silent)
        if not go_on and len(classes) == len(np.unique(y)) and len(np.unique(notes.target)) < 2:
            raise ValueError(
                "NoteClassifier: expected notes of at least 2 classes with a weight above 0 and "
                "with sound, got 1 class."
            )
        network = _NETWORKS[self.module] if isinstance(self.module, str) else self.module
        if go_on:
            instruments = self.instruments_
        else:
            instruments = sorted({name for name in notes.instrument if name is not None})
            warn_of_twins(instruments, "NoteClassifier")
            warn_of_blanks(classes.tolist(), "NoteClassifier")
        params = network_params(network, self.module_params, axes, len(instruments), len(classes))
        if go_on:
            check_same_network(self.net_, self.level_, network, params, self.level)
        codes = _encode(instruments, notes.instrument, len(notes.target))
        moments = (self.mean_, self.scale_) if go_on else None
        options = self._options(classes, instruments, axes, notes, n_epochs)
        recording = options.augment if isinstance(options.augment, RecordingAugment) else None
        how = {"recording": recording, "level": self.level, "seed": options.seed}
        how["n_threads"] = self.n_threads
        data = training_data(network, axes, notes, codes, moments, **how)
        rows, held = self._split(notes, options.seed)
        net = train(
            network,
            params,
            data.take(rows),
            None if held is None else data.take(held),
            options,
            self.net_ if go_on else None,
        )
        if n_epochs is None and not self.warm_start:
            net.optimizer_.state.clear()  # two thirds of all that a pickle would hold
        count = np.bincount(notes.target, notes.weight, minlength=len(classes))
        self.class_count_ = self.class_count_ + count if go_on else count
        self.classes_, self.instruments_ = classes, instruments
        self.axes_, self.level_ = axes, self.level
        self.mean_, self.scale_ = data.moments
        self.net_, self.history_ = net, net.history
        return self

    @property
    def model_(self):
        """From spectrograms to logits: a :class:`~sknote.nn.NoteModel` around the network."""
        network, device = self.net_.module_, self.net_.device
        if network.training:  # to look costs less than to set it
            network.eval()
        prior = self.class_count_ / self.class_count_.sum()
        about = {"prior": prior, "level": self.level_, "device": device}
        return NoteModel(network, self.axes_, self.mean_, self.scale_, **about)

    def _check_axes(self, X, items, known):
        """Return the axes that spectrograms are on; refuse others than those stated or known."""
        carried = carried_by(X, "spectral_axes")
        stated = known or self.axes
        axes = agreed_axes(items, stated, carried, name="NoteClassifier", fitted=bool(known))
        if known and (changed := self.other_spectrograms(carried_by(X, "spectrogram"))):
            raise ValueError(
                f"NoteClassifier: expected spectrograms like those of fit, since which was "
                f"changed {changed}. Make them as they were, or fit again."
            )
        return axes

    def other_spectrograms(self, meaning):
        """Tell in what spectrograms differ from those of `fit`.

        Parameters
        ----------
        meaning : dict or None
            As :meth:`Spectrogram.meaning` returns it; None where that is not known.

        Returns
        -------
        str
            Empty where they do not differ, or where nobody knows.
        """
        return other_values(getattr(self, "_as_fitted", None) or {}, meaning or {})

    def _split(self, notes, seed):
        """Return the rows to train on and, if there is to be one, those of the validation part."""
        if self.validation_fraction is None:
            return slice(None), None
        if notes.groups is None:
            warn_of_lost_groups("NoteClassifier")
        fraction = self.validation_fraction
        return grouped_validation_split(
            notes.target, notes.groups, fraction=fraction, random_state=seed
        )

    def _options(self, classes, instruments, axes, notes, n_epochs):
        augment = self.augment
        if isinstance(augment, str):
            augment = _AUGMENTS[augment]()
        if isinstance(augment, RecordingAugment):
            augment = augment.for_notes(notes.spectrograms)
            if self.augment != "auto" and not isinstance(augment, RecordingAugment):
                warnings.warn(
                    f"NoteClassifier: augment={self.augment!r} makes no other recordings of these "
                    "notes: their spectrograms span less than 25 dB, as normalized ones do. Take "
                    "Spectrogram(normalize=None), whose values are in dB.",
                    UserWarning,
                    stacklevel=4,
                )
        longest = plain_number(self.max_train_seconds)
        has_validation = self.validation_fraction is not None
        callbacks = check_callbacks(self.callbacks, classes, has_validation)
        return TrainingOptions(
            **{name: plain_number(getattr(self, name)) for name in _AS_THEY_ARE},
            max_epochs=n_epochs or self._count_epochs(len(notes.target)),
            one_cycle=n_epochs is None,
            classes=classes,
            instruments=instruments,
            class_weight=class_weights(self.class_weight, classes, notes),
            augment=None if augment is None else augment.bind(classes, axes),
            max_frames=None if longest is None else max(2, round(longest * axes.frame_rate)),
            callbacks=callbacks,
            report=report_epoch,
            progress=bool(self.verbose),
            seed=check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
        )

    def _count_epochs(self, n_notes):
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        enough = math.ceil(_ENOUGH_STEPS * int(self.batch_size) / n_notes)
        return min(max(enough, _FEWEST_EPOCHS), _MOST_EPOCHS)

    def predict_proba(self, X):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : DataFrame with a column ``audio``, sequence, or array
            Spectrograms, as in :meth:`fit`. A missing or new instrument counts as unknown, and
            `predict` warns once of a new one.

        Returns
        -------
        ndarray of shape (n_notes, n_classes), float64
            Rows sum to 1; columns in the order of `classes_`.
        """
        check_is_fitted(self)
        check_threads(self.n_threads, "NoteClassifier")
        items, instrument = unpack(self, X, ndim=2, reset=False)
        self._check_axes(X, items, self.axes_)
        codes = _encode(self.instruments_, instrument, len(items))
        consequence = "The answer is how frequent each class was in fit."
        silent_rows(items, X, name="NoteClassifier", consequence=consequence)
        with torch_threads(self.n_threads):
            logits = self.model_.predict_logits(items, codes, self.n_threads)
        if len(rows := np.flatnonzero(~np.isfinite(logits).all(axis=1))):
            raise ValueError(
                f"NoteClassifier: the answers for {name_rows(rows, X)} are not finite. Expected "
                "spectrograms like those of fit, in decibels."
            )
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
        warn_of_unheard(X, self.instruments_, "NoteClassifier")
        return self.classes_[proba.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


# Parameters that the training takes as they are.
_AS_THEY_ARE = ("batch_size", "lr", "pct_start", "div_factor", "final_div_factor")
_AS_THEY_ARE += ("weight_decay", "gradient_clip", "label_smoothing", "instrument_dropout")
_AS_THEY_ARE += ("monitor", "patience", "precision", "device", "n_threads")


def _encode(instruments, names, n_notes):
    """Return indices: 0 for an unknown instrument, 1 and up for known ones."""
    if names is None:
        return np.zeros(n_notes, dtype=np.int64)
    warn_of_misspelt(names, instruments, "NoteClassifier")
    index = {name: i for i, name in enumerate(instruments, start=1)}
    return np.array([index.get(name, 0) for name in names], dtype=np.int64)
