"""One of several names, and what is proposed for a misspelt one."""

import pytest

from sknote._input.choices import check_choices, did_you_mean, nearest


def test_check_choices():
    names = ("flute", "oboe")
    assert check_choices(None, names, name="n", caller="c") == ["flute", "oboe"]
    assert check_choices("oboe", names, name="n", caller="c") == ["oboe"]
    assert check_choices(["oboe", "oboe"], names, name="n", caller="c") == ["oboe"]
    with pytest.raises(ValueError, match=r"^c: n must be among .* Did you mean 'flute'\?"):
        check_choices("flut", names, name="n", caller="c")
    with pytest.raises(ValueError, match=r"^c: n is empty"):
        check_choices([], names, name="n", caller="c")


def test_the_nearest_are_found_in_any_case_and_of_any_kind():
    assert nearest("c", ["C", "tol"]) == ["C"]
    assert nearest("sax_alt", ["sax_alto", "sax_tenor", "oboe"], n=3) == ["sax_alto", "sax_tenor"]
    assert did_you_mean(12, [123, 4]) == " Did you mean 123?"
    assert did_you_mean(None, ["x"]) == did_you_mean("x", []) == ""
    near = did_you_mean("sax_alt", ["sax_alto", "sax_tenor", "oboe"], n=3)
    assert near == " Did you mean 'sax_alto' or 'sax_tenor'?"
