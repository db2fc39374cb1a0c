"""A seeded fuzz: damaged recordings, cache files, exports, models and streams; killed searches.

It looks for crashes, hangs, memory beyond what there is sound for, errors that no page names, and
numbers that are not finite. See "Faults" in ``docs/contributing.rst``.
"""

import itertools
import sys
import time

import pytest
from faults.worker import run_cases

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]

SMALL = {
    "decode": 250,
    "cache": 200,
    "export": 40,
    "saved": 60,
    "answers": 40,
    "live": 40,
    "search": 3,
}
AGAIN = {
    "decode": [503, 2073, 122301, 704206],
    "saved": [8524, 101792, 317828],
}  # of a larger run: what was found, and mended
FULL = {
    "decode": 5000,
    "cache": 5000,
    "export": 500,
    "saved": 20000,
    "answers": 5000,
    "live": 3000,
    "search": 50,
}


def test_the_fuzz_sees_faults(tmp_path):
    report = run_cases("misbehaviour", tmp_path, range(8), seconds=2.0)
    found = {about: trouble for group in report.offences.values() for _, about, trouble in group}
    assert report.outcomes["offence"] == 7 and "well" not in found
    assert "died of SIGSEGV" in found["crash"] and "exit status 77" in found["exit"]
    assert "sleeps for more" in found["sleep"] and "works for more than 2 s" in found["work"]
    assert "MB, more than 500" in found["memory"]
    assert "MemoryError" in found["far too much memory"] and "MemoryError" in found["error"]
    assert "--fault-case misbehaviour:1  crash" in str(report)


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", SMALL)
def test_faults(kind, tmp_path, request, capsys):
    option = request.config.getoption
    first = option("--fault-seed")
    if option("--fault-case"):
        chosen, _, seed = option("--fault-case").partition(":")
        if chosen != kind:
            pytest.skip("another case is asked for")
        seeds = [int(seed)]
    elif option("--fault-seconds"):
        seeds = _until(time.monotonic() + option("--fault-seconds") / len(SMALL), first)
    else:
        n_cases = (FULL if option("--faults") == "full" else SMALL)[kind]
        seeds = [*range(first, first + n_cases), *AGAIN.get(kind, [])]
    if kind == "export":
        for name in ("onnx", "onnxruntime", "onnxscript"):
            pytest.importorskip(name)
        from faults.export import make_model

        make_model(tmp_path / "whole.onnx")
    report = run_cases(kind, tmp_path, seeds)
    if option("--faults") == "full" or option("--fault-seconds") or option("--fault-case"):
        with capsys.disabled():
            print(f"\n{report}")
    if report.offences:
        pytest.fail(str(report), pytrace=False)


def _until(end, first):
    return itertools.takewhile(lambda _: time.monotonic() < end, itertools.count(first))
