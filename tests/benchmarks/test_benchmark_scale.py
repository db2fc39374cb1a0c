import json

import pytest

from benchmarks import scale
from benchmarks.cli import main


@pytest.fixture
def run(tmp_path, capsys):
    def call(*arguments):
        folders = ["--cache-dir", str(tmp_path / "cache"), "--out", str(tmp_path)]
        tiny = ["--max-epochs", "1", "--duration-range", "0.2", "0.4", "--sizes", "40,80"]
        status = main(["scale", *tiny, *folders, *arguments])
        return status, capsys.readouterr()

    return call


def test_sizes_are_measured_once(run, tmp_path, monkeypatch):
    status, printed = run()
    assert status == 0
    result = json.loads((tmp_path / "scale.json").read_text())
    assert [size["n_notes"] for size in result["sizes"]] == [40, 80]
    for size in result["sizes"]:
        assert set(size["seconds"]) == set(scale.TIMED) == set(result["slopes"])
        assert all(seconds > 0 for seconds in size["seconds"].values())
        assert all(seconds >= 0 for seconds in size["cpu_seconds"].values())  # counted in 10 ms
        assert 100 < size["peak_memory_mib"] < scale.LIMIT_MIB
        # frames of 200 float32 each, 43 a second and one more for each note
        frames = size["hours"] * 3600 * 22050 / 512 + size["n_notes"] / 2
        assert size["disk_mib"] == pytest.approx(frames * 800 / 2**20, rel=0.05)
    assert 40 * 0.2 < result["sizes"][0]["hours"] * 3600 < 40 * 0.4
    assert "log-log slope" in printed.out
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    left = {path.suffix for path in (tmp_path / "cache").rglob("*")}
    assert not left & {".flac", ".features"}  # notes and features are deleted

    def refuse(*_, **__):
        raise AssertionError("a finished size is repeated")

    monkeypatch.setattr(scale, "synthesize", refuse)
    assert run()[0] == 0
    again = json.loads((tmp_path / "scale.json").read_text())
    assert again["sizes"] == result["sizes"]
    monkeypatch.setattr(scale, "LIMIT_MIB", 10)
    status, printed = run("--sizes", "80")
    assert status == 2
    assert "took more than 10 MiB of memory" in printed.err
    assert json.loads((tmp_path / "scale.json").read_text())["slopes"] == {}

    document = "<!-- results:scale -->\n<!-- /results -->\n"
    (tmp_path / "README.md").write_text(document + document.replace("scale", "scale/slopes"))
    assert main(["report", "--root", str(tmp_path), "--results", str(tmp_path)]) == 0
    assert "| 80 | 0.0 |" in (tmp_path / "README.md").read_text()


def test_slopes_are_exponents():
    exponents = {"features": 1.0, "cached_features": 0.5, "fit": 2.0, "predict": 1.25}
    sizes = [
        {"n_notes": n, "seconds": {name: 3 * n**power for name, power in exponents.items()}}
        for n in (10, 30, 1000)
    ]
    assert scale.slopes(sizes, "seconds") == pytest.approx(exponents)
    assert scale.slopes(sizes[:1], "seconds") == {}
