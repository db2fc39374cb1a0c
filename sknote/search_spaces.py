"""Ready search spaces for the two pipelines of sknote: names and distributions, nothing more."""

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from sknote._input.choices import did_you_mean
from sknote.model_selection.search._space import suggest

__all__ = ["baseline_space", "note_space", "suggest_baseline", "suggest_note"]

_NOTE = {
    "front_end": {
        "spectrogram__n_bins": Choice([120, 160, None]),
        "spectrogram__n_fft": Choice([2048, None, 8192]),
        "spectrogram__normalize": Choice([None, "note"]),
        "spectrogram__top_db": Choice([None, 60.0, 80.0]),
    },
    "network": {"classify__module": Choice(["compact", "analyzer", "starter"])},
    "training": {
        "classify__max_epochs": Choice(["auto", 20, 40, 80]),
        "classify__batch_size": Choice([24, 48, 96]),
        "classify__lr": Float(3e-4, 1e-2, log=True),
        "classify__weight_decay": Float(1e-3, 0.3, log=True),
        "classify__label_smoothing": Float(0.0, 0.2),
        "classify__class_weight": Choice([None, "balanced"]),
    },
    "augmentation": {
        "classify__augment": Choice(["auto", None]),
        "classify__instrument_dropout": Float(0.0, 0.3),
        "classify__max_train_seconds": Choice([2.0, 4.0, 8.0]),
    },
    "effects": {
        "classify__augment__semitones": Int(0, 8),
        "classify__augment__stretch": Float(0.0, 0.2),
        "classify__augment__level_db": Float(0.0, 6.0),
        "classify__augment__noise_db": Float(0.0, 20.0),
        "classify__augment__band_mask": Float(0.0, 0.3),
        "classify__augment__time_mask": Float(0.0, 0.4),
        "classify__augment__probability": Float(0.2, 0.9),
    },
}
_DEFAULT_PARTS = ("front_end", "network", "training", "augmentation")


def note_space(*parts):
    """Return a search space for the pipeline of `make_note_pipeline`.

    Parameters
    ----------
    *parts : {"front_end", "network", "training", "augmentation", "effects"}
        What is tuned; nothing given means all but "effects". "effects" are the sizes of each effect
        of the augmentation, for a pipeline whose ``classify__augment`` is not None.

    Returns
    -------
    dict of str to optuna distribution
        A new dict, to be changed at will.

    Raises
    ------
    ValueError
        If there is no part of a name.

    See Also
    --------
    suggest_note : the same as a define-by-run space, which can tune more.

    Examples
    --------
    >>> from sknote.model_selection import note_space
    >>> sorted(note_space("network", "augmentation"))  # doctest: +NORMALIZE_WHITESPACE
    ['classify__augment', 'classify__instrument_dropout', 'classify__max_train_seconds',
     'classify__module']
    """
    space = {}
    for part in parts or _DEFAULT_PARTS:
        if part not in _NOTE:
            raise ValueError(
                f"note_space: parts are {sorted(_NOTE)}, got {part!r}.{did_you_mean(part, _NOTE)}"
            )
        space.update(_NOTE[part])
    return space


def suggest_note(trial):
    """Suggest parameters of the note pipeline: a define-by-run space for `OptunaSearch`.

    Beyond `note_space` it tunes the hop of the spectrogram, and the inside of the network "compact"
    where that one is chosen.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        The trial that draws.

    Returns
    -------
    dict of str to object
        What ``set_params`` of the pipeline takes.

    Examples
    --------
    >>> import optuna
    >>> from sknote.model_selection import suggest_note
    >>> trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    >>> suggest_note(trial)["spectrogram__hop_length"]
    1024
    """
    params = suggest(note_space(), trial)
    hop_lengths = [128, 256, 512, 1024]
    params["spectrogram__hop_length"] = trial.suggest_categorical("hop_length", hop_lengths)
    if params["classify__module"] == "compact":
        params["classify__module_params"] = {
            "channels": trial.suggest_int("channels", 32, 96, step=16),
            "width": trial.suggest_int("width", 128, 512, step=128),
            "n_profiles": trial.suggest_int("n_profiles", 0, 4),
            "n_cepstra": trial.suggest_int("n_cepstra", 1, 3),
            "n_functionals": trial.suggest_int("n_functionals", 0, 2),
            "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        }
    return params


def baseline_space():
    """Return a search space for the pipeline of `make_baseline_pipeline`.

    Returns
    -------
    dict of str to optuna distribution
        A new dict, to be changed at will.

    Examples
    --------
    >>> from sknote.model_selection import baseline_space
    >>> baseline_space()["mfcc__n_mfcc"]
    IntDistribution(high=40, log=False, low=13, step=1)
    """
    return {
        "mfcc__n_mfcc": Int(13, 40),
        "mfcc__n_mels": Choice([64, 96, 128]),
        "classify__learning_rate": Float(0.02, 0.3, log=True),
        "classify__max_iter": Int(40, 320, log=True),
        "classify__max_leaf_nodes": Int(3, 31, log=True),
        "classify__min_samples_leaf": Int(2, 60, log=True),
        "classify__l2_regularization": Float(1e-3, 30.0, log=True),
        "classify__max_features": Float(0.05, 1.0, log=True),
    }


def suggest_baseline(trial):
    """Suggest parameters of the baseline: `baseline_space` as a define-by-run space.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        The trial that draws.

    Returns
    -------
    dict of str to object
        What ``set_params`` of the pipeline takes.
    """
    return suggest(baseline_space(), trial)
