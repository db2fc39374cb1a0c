"""The models: of sknote, of the reference recipe and of scikit-learn, and those of `peers`."""

from dataclasses import dataclass, replace
from functools import partial

from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks import peers
from benchmarks.cli import BenchmarkError, meant
from sknote import AudioLoader, MFCCSummary, NoteClassifier, PassageClassifier, Spectrogram
from sknote.nn import RecordingAugment, SpectrogramAugment
from sknote.pipelines import NotePipeline, make_baseline_pipeline, make_note_pipeline


@dataclass(frozen=True)
class Options:
    """What the command line says about all models; None as `max_epochs` is each one's own."""

    seed: int = 0
    n_threads: int = 1
    device: str = "cpu"
    max_epochs: int | None = None


def build(name, options):
    """Return the unfitted pipeline of a model; steps before the last treat each note by itself."""
    if name not in MODELS:
        raise BenchmarkError(f"there is no model {name!r}; there are {meant(name, MODELS)}")
    return MODELS[name][1](options)


def settings(pipeline):
    """Return all parameters of a pipeline as strings that are the same in every process."""
    found = {}
    for name, value in pipeline.get_params(deep=True).items():
        if hasattr(value, "get_params") or isinstance(value, type):
            found[name] = f"{value if isinstance(value, type) else type(value)}"
        elif not (name == "steps" or name.endswith(("__steps", "__transformers"))):
            found[name] = repr(value)
    return found


def expand(names):
    """Put the default model and all of its variants in the place of the name ``variants``."""
    own = [name for name in MODELS if name.startswith("compact")]
    return [each for name in names for each in (own if name == "variants" else [name])]


def _network(pipeline, options):
    """Say to a pipeline that ends in a network what the command line says."""
    pipeline.set_params(load__on_error="warn")
    pipeline.set_params(classify__random_state=options.seed, classify__device=options.device)
    if options.max_epochs is not None:
        pipeline.set_params(classify__max_epochs=options.max_epochs)
    return pipeline


def _compact(options, **params):
    return _network(make_note_pipeline(**params), options)


def _passages(options):
    pipeline = _compact(options)
    return pipeline.set_params(classify=PassageClassifier(pipeline[-1]))


def _baseline(options):
    pipeline = make_baseline_pipeline()
    return pipeline.set_params(load__on_error="warn", classify__random_state=options.seed)


def _extra_trees(options):
    one_hot = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["instrument"]), remainder="passthrough"
    )
    trees = ExtraTreesClassifier(500, n_jobs=options.n_threads, random_state=options.seed)
    load, mfcc = ("load", AudioLoader(on_error="warn")), ("mfcc", MFCCSummary())
    return Pipeline([load, mfcc, ("classify", make_pipeline(one_hot, trees))])


def _reference(options, module, **params):
    """Follow the recipe's spectrogram, optimiser, schedule, class weights and augmentation.

    Where it cannot be followed: of a note over 10 s each epoch sees another 10 s, for a batch of
    32 with one of 78 s would take 33 GB. Pitch shifts are whole semitones and, as time stretches,
    of the spectrogram. Noise is left out: a normalised note has no full scale any more.
    """
    # half precision resolves a z-score to 0.004 or better
    spectrogram = Spectrogram(scale="linear", normalize="note", top_db=80.0, dtype="float16")
    classifier = NoteClassifier(
        module,
        max_epochs=30,
        batch_size=32,
        lr=0.01,
        weight_decay=0.01,  # torch's default for AdamW
        gradient_clip=None,
        class_weight="balanced",
        augment=SpectrogramAugment(semitones=2, stretch=0.1, level_db=0.0, probability=0.5),
        max_train_seconds=10.0,
        instrument_dropout=0.0,
        validation_fraction=0.1,
    )
    steps = [("load", AudioLoader()), ("spectrogram", spectrogram), ("classify", classifier)]
    return _network(NotePipeline(steps).set_params(**params), options)


def _augment(**params):
    return {"classify__augment": RecordingAugment.studio(**params)}


def _module(**params):
    return {"classify__module_params": params}


_EIGHT = {"n_profiles": 3, "n_cepstra": 3, "n_functionals": 2}
_LARGER = _module(**_EIGHT, dropout=0.1) | {"classify__max_epochs": 60}
_EVERY_FREQUENCY = {"load__sample_rate": 44100, "spectrogram__n_fft": 8192}
_EVERY_FREQUENCY |= {"spectrogram__hop_length": 1024, "spectrogram__n_bins": 224}
# The default model with one thing changed: name → line for the report, parameters of the pipeline
VARIANTS = {
    "no_pitch_shift": ("pitch is not shifted in training", _augment(semitones=0)),
    "level_for_all": ("the level is varied for labels of dynamics, too", _augment(protect={})),
    "band_mask": ("up to a tenth of the bands is hidden", _augment(band_mask=0.1)),
    "no_cut": ("no tails are cut off", _augment(cut=0.0)),
    "noise": ("a noise floor is added, 60 dB below the peak at most", _augment(noise_db=20.0)),
    "profiles": ("networks along frequency alone", _module(n_cepstra=0, n_functionals=0)),
    "cepstra": ("networks on cepstra alone", _module(n_profiles=0, n_functionals=0)),
    "functionals": ("networks on functionals alone", _module(n_profiles=0, n_cepstra=0)),
    "eight_networks": ("eight networks", _module(**_EIGHT)),
    "eight_members": ("ensembles of eight", _module(n_members=8)),
    "one_member": ("perceptrons in place of ensembles", _module(n_members=1)),
    "low_dropout": ("half the dropout", _module(dropout=0.1)),
    "dropout": ("twice the dropout", _module(dropout=0.4)),
    "large_batches": ("batches of 96", {"classify__batch_size": 96}),
    "short": ("half the epochs", {"classify__max_epochs": 20}),
    "long": ("twice the epochs", {"classify__max_epochs": 80}),
    "larger": ("eight networks, half the dropout, 60 epochs", _LARGER),
    "smooth": ("label smoothing of 0.1", {"classify__label_smoothing": 0.1}),
    "balanced": ("classes weigh the same", {"classify__class_weight": "balanced"}),
    "all_frequencies": ("bands up to 20 kHz", _EVERY_FREQUENCY),
}
# name → line for the report, function of the `Options` that returns an unfitted pipeline
MODELS = {
    "compact": ("sknote's default network on log-frequency spectrograms", _compact),
    "practice": (
        "compact, trained for recordings as users make them",
        partial(_compact, classify__augment="practice"),
    ),
    "gains": (
        "compact, trained at gains of -12 to 12 dB",
        partial(_compact, **_augment(n_variants=6, as_it_is=0.0, gain=1.0, gain_db=(-12.0, 12.0))),
    ),
    "relative": (
        "compact, which knows no level",
        partial(_compact, classify__level="relative"),
    ),
    "passages": ("compact, asked about all notes of a passage at once", _passages),
    "baseline": ("gradient boosting on MFCC statistics, instrument as a category", _baseline),
    # `benchmarks.search` sets the parameters
    "tuned_baseline": ("the same, with what `tune` chose on the training part", _baseline),
    "extra_trees": ("500 extremely randomised trees on the same MFCC statistics", _extra_trees),
    "analyzer": (
        "the default pipeline, but with NoteAnalyzer",
        partial(_compact, classify__module="analyzer"),
    ),
    "starter": (
        "the default pipeline, but with SimpleStarterModel",
        partial(_compact, classify__module="starter"),
    ),
    "reference_analyzer": (
        "the reference recipe's NoteAnalyzer",
        partial(_reference, module="analyzer"),
    ),
    # what the reference recipe says of augmentation and of class weights
    "starter_plain": (
        "starter, without augmentation",
        partial(_compact, classify__module="starter", classify__augment=None),
    ),
    "starter_balanced": (
        "starter, and classes weigh the same",
        partial(_compact, classify__module="starter", classify__class_weight="balanced"),
    ),
    # one after the other, what keeps it from learning
    "reference_analyzer_low_rate": (
        "reference_analyzer, but a tenth of its learning rate",
        partial(_reference, module="analyzer", classify__lr=1e-3),
    ),
    "reference_analyzer_level": (
        "the same, and the level of each note is kept",
        partial(_reference, module="analyzer", classify__lr=1e-3, spectrogram__normalize=None),
    ),
    "reference_starter": (
        "the reference recipe's SimpleStarterModel",
        partial(_reference, module="starter"),
    ),
    "dummy": (
        "always the most frequent label",
        lambda _: Pipeline([("classify", DummyClassifier())]),
    ),
    **peers.MODELS,
    "compact_other_seed": (
        "compact, but other random draws: how much is luck",
        lambda options: _compact(replace(options, seed=options.seed + 12345)),
    ),
}
MODELS |= {
    f"compact_{name}": (f"compact, but {line}", partial(_compact, **params))
    for name, (line, params) in VARIANTS.items()
}
