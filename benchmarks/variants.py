"""The default model with one thing changed at a time: what each of them is worth.

Compare them where choices may be made: ``python -m benchmarks run --inner 3 --models
compact,compact_...``.
"""

from benchmarks.models import model, network
from sknote import make_note_pipeline
from sknote.nn import SpectrogramAugment

PREFIX = "compact_"
VIEWS = ("n_profiles", "n_cepstra", "n_functionals")


def _augment(**params):
    return {"classify__augment": SpectrogramAugment(**params)}


def _only(view):
    return {"classify__module_params": {name: 0 for name in VIEWS if name != view}}


# Name → line for the report, parameters of the pipeline
VARIANTS = {
    "no_pitch_shift": ("pitch is not shifted in training", _augment(semitones=0)),
    "wide_pitch_shift": ("pitch is shifted by up to an octave", _augment(semitones=12)),
    "band_mask": ("up to a tenth of the bands is hidden", _augment(band_mask=0.1)),
    "noise": ("a noise floor is added, 60 dB below the peak at most", _augment(noise_db=20.0)),
    "profiles": ("networks along frequency alone", _only("n_profiles")),
    "cepstra": ("networks on cepstra alone", _only("n_cepstra")),
    "functionals": ("networks on functionals alone", _only("n_functionals")),
    "one_member": (
        "perceptrons in place of ensembles",
        {"classify__module_params": {"n_members": 1}},
    ),
    "slow": ("half the learning rate", {"classify__lr": 2e-3}),
    "short": ("half the epochs", {"classify__max_epochs": 15}),
    "long": ("twice the epochs", {"classify__max_epochs": 60}),
    "dropout": ("more dropout", {"classify__module_params": {"dropout": 0.4}}),
    "smooth": ("label smoothing of 0.1", {"classify__label_smoothing": 0.1}),
    "balanced": ("classes weigh the same", {"classify__class_weight": "balanced"}),
}


def _enter(name, line, params):
    @model(PREFIX + name, f"compact, but {line}")
    def build(options):
        return network(make_note_pipeline(**params), options)


for _name, (_line, _params) in VARIANTS.items():
    _enter(_name, _line, _params)
