"""The models of sknote, of the reference recipe and of scikit-learn."""

from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.settings import network
from sknote import (
    AudioLoader,
    MFCCSummary,
    NoteClassifier,
    Spectrogram,
    make_baseline_pipeline,
    make_note_pipeline,
)
from sknote.nn import SpectrogramAugment
from sknote.pipelines import NotePipeline


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


def _reference(module, options):
    """Follow the recipe's spectrogram, optimiser, schedule, class weights and augmentation.

    Where it cannot be followed: of a note over 10 s each epoch sees another 10 s, for a batch of
    32 with one of 78 s (Philharmonia) would take 33 GB. The pitch shift is in whole semitones and,
    as the time stretch, done on the spectrogram, each with a probability of one half. Noise of
    0.002 of full scale is left out: a note that was brought to mean 0 and deviation 1 has no full
    scale any more. A `NotePipeline` tells the classifier what the spectrogram's axes are.
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
    return network(NotePipeline(steps), options)


MODELS = {
    "compact": (
        "sknote's default network on log-frequency spectrograms",
        lambda options: network(make_note_pipeline(), options),
    ),
    "baseline": ("gradient boosting on MFCC statistics, instrument as a category", _baseline),
    "tuned_baseline": (  # `benchmarks.search` sets the parameters of each fold
        "the same, with what `tune` chose on the training part of each fold",
        _baseline,
    ),
    "extra_trees": ("500 extremely randomised trees on the same MFCC statistics", _extra_trees),
    "analyzer": (
        "the reference recipe's full network (NoteAnalyzer) with its settings",
        lambda options: _reference("analyzer", options),
    ),
    "starter": (
        "the reference recipe's small network (SimpleStarterModel) with its settings",
        lambda options: _reference("starter", options),
    ),
    "dummy": (
        "always the most frequent label",
        lambda _: Pipeline([("classify", DummyClassifier(strategy="prior"))]),
    ),
}
