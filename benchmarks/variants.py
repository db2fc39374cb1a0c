"""The default model with one thing changed at a time: what each of them is worth.

Compare them where choices may be made: ``python -m benchmarks run --inner 3 --models variants``.
"""

from dataclasses import replace

from benchmarks.settings import network
from sknote import make_note_pipeline
from sknote.nn import SpectrogramAugment

PREFIX = "compact_"
VIEWS = ("n_profiles", "n_cepstra", "n_functionals")
_EIGHT = {"n_profiles": 3, "n_cepstra": 3, "n_functionals": 2, "n_members": 2}


def _augment(**params):
    return {"classify__augment": SpectrogramAugment(**params)}


def _network(**params):
    return {"classify__module_params": params}


def _only(view):
    return _network(**{name: 0 for name in VIEWS if name != view})


# Name → line for the report, parameters of the pipeline
VARIANTS = {
    "no_pitch_shift": ("pitch is not shifted in training", _augment(semitones=0)),
    "level_for_all": ("the level is varied for labels of dynamics, too", _augment(protect={})),
    "band_mask": ("up to a tenth of the bands is hidden", _augment(band_mask=0.1)),
    "noise": ("a noise floor is added, 60 dB below the peak at most", _augment(noise_db=20.0)),
    "profiles": ("networks along frequency alone", _only("n_profiles")),
    "cepstra": ("networks on cepstra alone", _only("n_cepstra")),
    "functionals": ("networks on functionals alone", _only("n_functionals")),
    "eight_networks": ("eight networks, with ensembles of two", _network(**_EIGHT)),
    "two_members": ("ensembles of two", _network(n_members=2)),
    "one_member": ("perceptrons in place of ensembles", _network(n_members=1)),
    "low_dropout": ("half the dropout", _network(dropout=0.1)),
    "dropout": ("twice the dropout", _network(dropout=0.4)),
    "large_batches": ("batches of 96", {"classify__batch_size": 96}),
    "short": ("half the epochs", {"classify__max_epochs": 15}),
    "long": ("twice the epochs", {"classify__max_epochs": 60}),
    "larger": (
        "eight networks, with ensembles of two and half the dropout, in 45 epochs",
        _network(**_EIGHT, dropout=0.1) | {"classify__max_epochs": 45},
    ),
    "smooth": ("label smoothing of 0.1", {"classify__label_smoothing": 0.1}),
    "balanced": ("classes weigh the same", {"classify__class_weight": "balanced"}),
    "all_frequencies": (
        "bands up to 20 kHz",
        {
            "load__sample_rate": 44100,
            "spectrogram__n_fft": 8192,
            "spectrogram__hop_length": 1024,
            "spectrogram__n_bins": 224,
        },
    ),
}


def expand(names):
    """Put the default model and all of its variants in the place of the name ``variants``."""
    own = ["compact", "compact_other_seed", *(PREFIX + name for name in VARIANTS)]
    return [each for name in names for each in (own if name == "variants" else [name])]


def _other_seed(options):
    return network(make_note_pipeline(), replace(options, seed=options.seed + 12345))


def _changed(params):
    return lambda options: network(make_note_pipeline(**params), options)


MODELS = {
    "compact_other_seed": ("compact, but other random draws: how much is luck", _other_seed),
    **{
        PREFIX + name: (f"compact, but {line}", _changed(p)) for name, (line, p) in VARIANTS.items()
    },
}
