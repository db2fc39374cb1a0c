"""What tests of several folders share: tones, encoded files, the place of real recordings."""

import io
import os
from pathlib import Path

# Else scikit-learn skips one of its checks; it must be set before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# Else OpenMP's threads spin while they wait for each other, which takes several times as long where
# the cores have other work; it must be set before OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The arrays of tests are so small that a second thread costs more than it brings, and `make test`
# has a process a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest


def pytest_addoption(parser):
    group = parser.getgroup("faults", "the fuzz in tests/faults")
    group.addoption("--faults", choices=["small", "full"], default="small", help="how many cases")
    group.addoption(
        "--fault-seconds", type=float, help="as many cases as fit, in place of a number"
    )
    group.addoption("--fault-seed", type=int, default=0, help="seed of the first case")
    group.addoption("--fault-case", metavar="KIND:SEED", help="a single case, as a report names it")


@pytest.fixture(scope="session")
def tone():
    """Make a sine tone: ``tone(seconds, hz, amplitude, rate)``, float32."""

    def make(seconds=1.0, hz=440.0, amplitude=0.5, rate=22050):
        time = np.arange(round(seconds * rate)) / rate
        return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def encode():
    """Encode samples as the bytes of a sound file: ``encode(samples, rate, format, subtype)``."""
    import soundfile

    def make(samples, rate=22050, format="WAV", subtype=None):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def real_data():
    """Return a folder of real recordings by name; skip the test where there is none."""

    def find(name):
        home = os.environ.get("SKNOTE_DATA")
        if not home:
            pytest.skip("SKNOTE_DATA is not set")
        folder = Path(home) / name
        if not folder.is_dir():
            pytest.skip(f"there is no folder {name} in SKNOTE_DATA")
        return folder

    return find
