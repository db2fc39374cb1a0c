"""One of several names, and what is proposed for a misspelt one."""

import numpy as np
import pytest

from sknote._input.choices import (
    check_choices,
    did_you_mean,
    nearest,
    nearest_parameter,
    warn_of_blanks,
    warn_of_misspelt,
    warn_of_twins,
)


def test_check_choices():
    names = ("flute", "oboe")
    assert check_choices(None, names, name="n", caller="c") == ["flute", "oboe"]
    assert check_choices("oboe", names, name="n", caller="c") == ["oboe"]
    assert check_choices(["oboe", "oboe"], names, name="n", caller="c") == ["oboe"]
    with pytest.raises(ValueError, match=r"^c: n must be among .* Did you mean 'flute'\?"):
        check_choices("flut", names, name="n", caller="c")
    with pytest.raises(ValueError, match=r"^c: n is empty"):
        check_choices([], names, name="n", caller="c")
    for wrong in (5, True, 0.5):
        with pytest.raises(ValueError, match=rf"^c: n must be among .* Got {wrong} instead"):
            check_choices(wrong, names, name="n", caller="c")


def test_the_nearest_are_found_in_any_case_and_of_any_kind():
    assert nearest("c", ["C", "tol"]) == ["C"]
    assert nearest("sax_alt", ["sax_alto", "sax_tenor", "oboe"], n=3) == ["sax_alto", "sax_tenor"]
    assert did_you_mean(12, [123, 4]) == " Did you mean 123?"
    assert did_you_mean(None, ["x"]) == did_you_mean("x", []) == ""
    near = did_you_mean("sax_alt", ["sax_alto", "sax_tenor", "oboe"], n=3)
    assert near == " Did you mean 'sax_alto' or 'sax_tenor'?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("clasify__lr", "classify__lr"),
        ("classify__max_epoch", "classify__max_epochs"),
        ("Classify__LR", "classify__lr"),
        ("clasify__augment__semitone", "classify__augment__semitones"),
        ("lode__offset", "load__offset"),
        ("classify_lr", "classify__lr"),  # which has other parts, but is alike as a whole
        ("ofset", "offset"),
    ],
)
def test_parts_of_nested_parameters_are_compared_apart(name, meant):
    names = ["classify", "classify__tol", "classify__lr", "classify__max_epochs", "load__offset"]
    names += ["classify__augment__semitones", "offset", "classify__augment", "classify__n"]
    assert nearest_parameter(name, names) == [meant]
    assert nearest_parameter("zzz__q", names) == []


KNOWN = ["flute", "oboe", "sax_alto", "double-bass", "violin", "trumpet 2"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Flute", "flute"),
        ("FLUTE ", "flute"),
        ("flutes", "flute"),
        ("flut", "flute"),
        ("fluet", "flute"),
        ("Sax Alto", "sax_alto"),
        ("sax-alto", "sax_alto"),
        ("saxalto", "sax_alto"),
        ("Double_Bass", "double-bass"),
        ("violn", "violin"),
        ("Trumpet2", "trumpet 2"),
    ],
)
def test_a_misspelt_instrument_is_guessed(name, meant):
    with pytest.warns(UserWarning, match=rf"^c: .* {name!r}, .* Did you mean {meant!r}\?$"):
        warn_of_misspelt(np.array([name] * 3, dtype=object), KNOWN, "c")


@pytest.mark.parametrize(
    "name",
    ["flute", "viola", "sax_tenor", "bass", "trumpet 1", "alto flute", "tuba", "", "bassoon", None],
)
def test_another_instrument_is_no_mistake(name):
    warn_of_misspelt([name], KNOWN, "c")
    warn_of_misspelt([name], [], "c")


def test_one_warning_for_all():
    with pytest.warns(UserWarning, match="Did you mean") as record:
        warn_of_misspelt(["Flute", "Oboe", "Flute", "tuba", "oboe", None], KNOWN, "c")
    assert len(record) == 1
    assert "instruments 'Flute', 'Oboe', which count as such" in str(record[0].message)
    with pytest.warns(UserWarning, match=r"and 2 more.* Did you mean 'oboe', 'oboe', 'oboe'"):
        warn_of_misspelt(["Oboe", "OBOE", "obo e", "oboe ", "OboE"], KNOWN, "c")


def test_two_spellings_of_one_instrument_are_said():
    with pytest.warns(
        UserWarning, match=r"^c: got 'Flute' and 'flute', which count as diff"
    ) as said:
        warn_of_twins(["flute", "oboe", "Flute"], "c")
    assert len(said) == 1
    with pytest.warns(UserWarning, match=r"got 'flu\\u0302te' and 'fl\\xfbte', which"):
        warn_of_twins(["fl\xfbte", "flu\u0302te"], "c")
    warn_of_twins(["flute", "alto flute", "trumpet 1", "trumpet 2", "tuba"], "c")


def test_labels_that_look_the_same_are_warned_of():
    with pytest.warns(UserWarning, match=r"X: got the labels 'a' and 'a ', which count as differ"):
        warn_of_blanks(["a", "a ", "b"], "X")
    with pytest.warns(UserWarning, match=r"X: got the labels 'e\\u0301' and '\\xe9', which count"):
        warn_of_blanks(["e\u0301", "\xe9", "e"], "X")
    warn_of_blanks(["a", "A", "a b", 1, "1"], "X")  # no warning, which would be an error
