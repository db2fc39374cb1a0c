"""How good-sounds spells its labels, and what becomes of them."""

import itertools
import warnings

import pytest

from sknote import LabelHierarchy
from sknote.datasets._good_sounds_labels import normalize_good_sounds
from sknote.exceptions import LabelParseWarning

# original, normalized, (quality, aspect, specific)
GOOD_SOUNDS = [
    ("good-sound", "good-sound", ("good", "sound", "unspecified")),
    ("good-attack-accent>", "good-attack-accent", ("good", "attack", "accent")),
    ("good-attack-accent^", "good-attack-marcato", ("good", "attack", "marcato")),
    ("good-attack-accent ^", "good-attack-marcato", ("good", "attack", "marcato")),
    ("good-attack-apoyo", "good-attack-apoyo", ("good", "attack", "apoyo")),
    (
        "bad-dynamics-stability-crescendo",
        "bad-dynamics-stability-crescendo",
        ("bad", "dynamics-stability", "crescendo"),
    ),
    (
        "bad-dynamic-stability",
        "bad-dynamics-stability",
        ("bad", "dynamics-stability", "unspecified"),
    ),
    (
        "bad-pitch-stability-vibrato",
        "bad-pitch-stability-vibrato",
        ("bad", "pitch-stability", "vibrato"),
    ),
    ("bad-timbre-stability", "bad-timbre-stability", ("bad", "timbre-stability", "unspecified")),
    ("bad-stability-timbre", "bad-timbre-stability", ("bad", "timbre-stability", "unspecified")),
    (
        "bad-stability-pitch-errors",
        "bad-pitch-stability-errors",
        ("bad", "pitch-stability", "errors"),
    ),
    ("bad-richness-gaita", "bad-richness-gaita", ("bad", "richness", "gaita")),
    ("bad-attack", "bad-attack", ("bad", "attack", "unspecified")),
    ("bad-attack-tongue-block", "bad-attack-tongue-block", ("bad", "attack", "tongue-block")),
    ("bad-attack-too-strong", "bad-attack-too-strong", ("bad", "attack", "too-strong")),
    ("air-outside", "unspecified-air-outside", ("unspecified", "air", "outside")),
    ("good-timbre-wood", "good-timbre-wood", ("good", "timbre", "wood")),
    ("scale-good", "good-sound-scale", ("good", "sound", "scale")),
    ("scale-good-minor", "good-sound-scale-minor", ("good", "sound", "scale-minor")),
    (
        "scale-bad-timbre-staccato-minor",
        "bad-timbre-scale-staccato-minor",
        ("bad", "timbre", "scale-staccato-minor"),
    ),
    (
        "scale-bad-pitch-stability",
        "bad-pitch-stability-scale",
        ("bad", "pitch-stability", "scale"),
    ),
    ("sultasto", "unspecified-bow-sultasto", ("unspecified", "bow", "sultasto")),
    ("sul-tasto", "unspecified-bow-sultasto", ("unspecified", "bow", "sultasto")),
    ("ponticello", "unspecified-bow-ponticello", ("unspecified", "bow", "ponticello")),
    ("Sul Ponticello", "unspecified-bow-ponticello", ("unspecified", "bow", "ponticello")),
    ("good-sul-tasto", "good-bow-sultasto", ("good", "bow", "sultasto")),
    ("bad-timbre-ponticello", "bad-timbre-ponticello", ("bad", "timbre", "ponticello")),
    ("regular-timbre-sul-tasto", "regular-timbre-sultasto", ("regular", "timbre", "sultasto")),
    ("regular-attack-air", "regular-attack-air", ("regular", "attack", "air")),
    ("regular-pressure", "regular-bow-pressure", ("regular", "bow", "pressure")),
    ("bad-rebound", "bad-bow-rebound", ("bad", "bow", "rebound")),
    ("bad-richness-bridge", "bad-richness-bridge", ("bad", "richness", "bridge")),
    ("", "unspecified", ("unspecified",) * 3),
    ("bad", "bad", ("bad", "unspecified", "unspecified")),
    (" Bad Attack\t", "bad-attack", ("bad", "attack", "unspecified")),
    ("bad-bad-attack", "bad-attack", ("bad", "attack", "unspecified")),
    (
        "bad-richness bad-attack-air",
        "bad-several-attack-air+richness",
        ("bad", "several", "attack-air+richness"),
    ),
    ("bad-attack-bad-attack", "bad-attack", ("bad", "attack", "unspecified")),
]


@pytest.fixture
def good_sounds():
    return LabelHierarchy.good_sounds()


@pytest.mark.parametrize("original, normalized, values", GOOD_SOUNDS)
def test_good_sounds_spellings(good_sounds, original, normalized, values):
    assert good_sounds.transform([original]).tolist() == [normalized]
    assert tuple(good_sounds.parse(original).values()) == values


@pytest.mark.parametrize(
    "original, normalized, note",
    [
        ("good-sound", "good-sound", "as spelled"),
        ("", "unspecified", "empty"),
        ("air-inside", "unspecified-air-inside", "no quality is stated"),
        ("scale-good", "good-sound-scale", "a scale"),
        ("bad-air bad-attack", "bad-several-air+attack", "2 statements in one value"),
        ("Bad-Attack", "bad-attack", "blanks, letter case or repeated words"),
        ("dirt", "unspecified-bow-dirt", "'dirt' is about the bow; no quality is stated"),
    ],
)
def test_table_says_what_became_what(good_sounds, original, normalized, note):
    row = good_sounds.fit([original]).table_.iloc[0]
    assert (row["original"], row["normalized"], row["note"]) == (original, normalized, note)


def test_table_keeps_every_label_and_count(good_sounds):
    labels = ["bad-attack", "bad-stability-timbre", "bad-attack", "", " ", "", "", "bridge"]
    table = good_sounds.fit(labels).table_
    expected = ["original", "normalized", "quality", "aspect", "specific", "note", "count"]
    assert table.columns.tolist() == expected
    assert table["count"].sum() == len(labels)
    assert table["original"].iloc[0] == "" and table["count"].iloc[0] == 4
    for row in table.itertuples():
        values = good_sounds.parse(row.original)
        assert (row.quality, row.aspect, row.specific) == tuple(values.values())
        assert row.normalized == good_sounds.transform([row.original])[0]


WORDS = [
    "good",
    "bad",
    "scale",
    "stability",
    "dynamic",
    "timbre",
    "pitch",
    "attack",
    "air",
    "accent>",
    "dirt",
    "minor",
    "foo",
]


@pytest.mark.parametrize("joint", ["-", " ", "--"])
def test_normalizing_twice_changes_nothing_and_loses_no_word(joint):
    for words in itertools.product(WORDS, repeat=3):
        normalized = normalize_good_sounds(joint.join(words))[0]
        assert normalize_good_sounds(normalized)[0] == normalized
        kept = normalized.replace("accent", "accent>").replace("dynamics", "dynamic")
        assert set(words) <= set(kept.replace("+", "-").split("-"))


def test_a_bow_on_the_fingerboard_or_at_the_bridge_is_normalized_once():
    for words in itertools.product(["sul", "tasto", "ponticello", "regular", "scale"], repeat=4):
        normalized = normalize_good_sounds("-".join(words))[0]
        assert normalize_good_sounds(normalized)[0] == normalized


def test_unknown_spellings_are_named(good_sounds):
    with pytest.warns(LabelParseWarning, match=r"no spelling rule knows \['squeak-loud'\]"):
        good_sounds.fit(["good-sound", "squeak-loud"])
    assert good_sounds.transform(["squeak-loud"]).tolist() == ["unspecified-squeak-loud"]
    with pytest.warns(LabelParseWarning):
        good_sounds.fit(["good-attack bad-air"])
    expected = {
        "quality": "unspecified",
        "aspect": "several",
        "specific": "bad-air+good-attack",
    }
    assert good_sounds.parse("good-attack bad-air") == expected


def test_known_spellings_do_not_warn(good_sounds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good_sounds.fit([original for original, _, _ in GOOD_SOUNDS])
    assert good_sounds.classes_.tolist() == sorted({normal for _, normal, _ in GOOD_SOUNDS})
