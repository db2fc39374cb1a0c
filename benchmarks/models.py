"""The models that are compared: a name, a line about each, and how its pipeline is made.

A pipeline ends in the step that is fitted, afresh in every fold. The steps before it make features
of each note by itself, so that they are computed once for all folds; a test holds them to that.
"""

import difflib
from dataclasses import dataclass

from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.cli import BenchmarkError
from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.nn import SpectrogramAugment

MODELS = {}


@dataclass(frozen=True)
class Options:
    """What the command line says about all models.

    Attributes
    ----------
    seed : int
        ``random_state`` of whatever is fitted.
    n_threads : int
        Threads of a process.
    device : str
        Where the networks run.
    max_epochs : int or None
        Epochs of the networks, for a quick trial; None is each one's own number.
    """

    seed: int = 0
    n_threads: int = 1
    device: str = "cpu"
    max_epochs: int | None = None


def model(name, summary):
    """Enter a function ``options -> Pipeline`` into the list of models.

    Parameters
    ----------
    name : str
        What ``--models`` calls it.
    summary : str
        One line for the report.
    """

    def enter(build):
        MODELS[name] = (build, summary)
        return build

    return enter


def build(name, options):
    """Return the unfitted pipeline of a model.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    options : Options

    Returns
    -------
    Pipeline
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise BenchmarkError(f"there is no model {name!r}; there are {', '.join(MODELS)}.{hint}")
    return MODELS[name][0](options)


def settings(pipeline):
    """Return all parameters of a pipeline as strings that are the same in every process."""
    found = {}
    for name, value in pipeline.get_params(deep=True).items():
        if hasattr(value, "get_params") or isinstance(value, type):
            found[name] = f"{value if isinstance(value, type) else type(value)}"
        elif not (name == "steps" or name.endswith(("__steps", "__transformers"))):
            found[name] = repr(value)
    return found


@model("compact", "sknote's default network on log-frequency spectrograms")
def compact(options):
    return network(make_note_pipeline(), options)


@model("baseline", "gradient boosting on MFCC statistics, instrument as a category")
def baseline(options):
    pipeline = make_baseline_pipeline()
    return pipeline.set_params(load__on_error="warn", classify__random_state=options.seed)


@model("tuned_baseline", "the same, with what `tune` chose on the training part of each fold")
def tuned_baseline(options):
    return baseline(options)  # `benchmarks.tuned` sets the parameters of each fold


@model("extra_trees", "500 extremely randomised trees on the same MFCC statistics")
def extra_trees(options):
    one_hot = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["instrument"]), remainder="passthrough"
    )
    trees = ExtraTreesClassifier(500, n_jobs=options.n_threads, random_state=options.seed)
    return Pipeline(
        [
            ("load", AudioLoader(on_error="warn")),
            ("mfcc", MFCCSummary()),
            ("classify", make_pipeline(one_hot, trees)),
        ]
    )


@model("analyzer", "the guide's NoteAnalyzer with the guide's settings")
def analyzer(options):
    return _guide("analyzer", options)


@model("starter", "the guide's SimpleStarterModel with the guide's settings")
def starter(options):
    return _guide("starter", options)


@model("dummy", "always the most frequent label")
def dummy(options):
    return Pipeline([("classify", DummyClassifier(strategy="prior"))])


def _guide(module, options):
    """Follow the guide's spectrogram, optimiser, schedule, class weights and augmentation.

    Where it cannot be followed: of a note over 10 s each epoch sees another 10 s, for a batch of
    32 with one of 78 s (Philharmonia) would take 33 GB. The pitch shift is in whole semitones and,
    as the time stretch, done on the spectrogram, each with a probability of one half. Noise of
    0.002 of full scale is left out: a note that was brought to mean 0 and deviation 1 has no full
    scale any more.
    """
    augment = SpectrogramAugment(
        semitones=2, stretch=0.1, level_db=0.0, probability=0.5, scale="linear"
    )
    pipeline = Pipeline(
        [
            ("load", AudioLoader()),
            # half precision resolves a z-score to 0.004 or better
            ("spectrogram", Spectrogram(scale="linear", normalize="note", dtype="float16")),
            (
                "classify",
                NoteClassifier(
                    module,
                    max_epochs=30,
                    batch_size=32,
                    lr=0.01,
                    weight_decay=0.01,  # torch's default for AdamW
                    gradient_clip=None,
                    class_weight="balanced",
                    augment=augment,
                    max_train_seconds=10.0,
                    instrument_dropout=0.0,
                    frame_rate=22050 / 128,
                    validation_fraction=0.1,
                ),
            ),
        ]
    )
    return network(pipeline, options)


def network(pipeline, options):
    """Say to a pipeline that ends in a network what the command line says."""
    pipeline.set_params(
        load__on_error="warn",
        classify__random_state=options.seed,
        classify__device=options.device,
    )
    if options.max_epochs is not None:
        pipeline.set_params(classify__max_epochs=options.max_epochs)
    return pipeline


from benchmarks import peers, variants  # noqa: E402, F401  (they enter more models)
