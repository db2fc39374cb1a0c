from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.base import clone

from benchmarks.cli import BenchmarkError
from benchmarks.models import MODELS, VARIANTS, Options, build, expand, settings
from benchmarks.peers import PEERS
from sknote import NoteClassifier

BUILT = [name for name in MODELS if name not in PEERS or find_spec(PEERS[name])]
WITH_FEATURES = [name for name in BUILT if len(build(name, Options())) > 1]


@pytest.mark.parametrize("name", WITH_FEATURES)
def test_features_are_of_each_note_by_itself(name):
    # so that making them once for all folds cannot leak anything
    steps = build(name, Options())[:-1]
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(0, 0.1, n).astype(np.float32) for n in (4000, 9000, 700))
    together = clone(steps).fit_transform([a, b, c])
    apart = [clone(steps).fit_transform([note])[0] for note in (a, b, c)]
    for one, other in zip(together, apart):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", BUILT)
def test_settings_are_the_same_in_every_process_and_tell_models_apart(name):
    found = settings(build(name, Options()))
    assert found == settings(build(name, Options()))
    assert not any(" at 0x" in value for value in found.values())
    # a tuned model differs from its model only by what `tune` chose for each fold
    model = name.removeprefix("tuned_")
    others = [other for other in BUILT if other.removeprefix("tuned_") != model]
    assert found not in [settings(build(other, Options())) for other in others]


def test_options_reach_the_networks():
    found = settings(build("compact", Options(seed=7, device="cuda", max_epochs=3)))
    assert found["classify__random_state"] == "7"
    assert found["classify__device"] == "'cuda'"
    assert found["classify__max_epochs"] == "3"
    assert build("compact", Options())[-1].max_epochs == NoteClassifier().max_epochs


@pytest.mark.parametrize("name", ["analyzer", "starter"])
def test_the_networks_on_frames_differ_from_the_default_by_their_layers_alone(name):
    found, default = (settings(build(one, Options(seed=3))) for one in (name, "compact"))
    changed = {key: value for key, value in found.items() if default[key] != value}
    assert changed == {"classify__module": repr(name)}


@pytest.mark.parametrize("name", ["analyzer", "starter"])
def test_the_networks_of_the_reference_recipe_have_its_settings(name):
    load, spectrogram, classify = (step for _, step in build(f"reference_{name}", Options()).steps)
    assert load.sample_rate == 22050
    assert (spectrogram.scale, spectrogram.normalize) == ("linear", "note")
    assert classify.module == name
    assert (classify.max_epochs, classify.batch_size, classify.lr) == (30, 32, 0.01)
    assert classify.class_weight == "balanced"
    assert classify.validation_fraction is not None
    assert (classify.augment.semitones, classify.augment.stretch) == (2, 0.1)
    assert classify.augment.probability == 0.5
    assert classify.axes.frame_rate == 22050 / 128


@pytest.mark.parametrize("name", WITH_FEATURES)
def test_a_recording_that_cannot_be_read_stops_no_model(name):
    assert build(name, Options())["load"].on_error == "warn"


def test_variants_stands_for_the_default_and_all_that_differ_from_it():
    names = expand(["dummy", "variants"])
    assert names[:2] == ["dummy", "compact"]
    default = settings(build("compact", Options()))
    for name in names[2:]:
        found = settings(build(name, Options()))
        assert {key for key in found if found[key] != default.get(key)}, name
    assert len(names) == len(set(names)) == len(VARIANTS) + 3
    short = build("compact_short", Options(max_epochs=3))
    assert short[-1].max_epochs == 3


def test_an_unknown_model_is_answered_with_the_known_ones():
    with pytest.raises(BenchmarkError, match=r"no model 'compcat'.*baseline.*mean 'compact'\?"):
        build("compcat", Options())
