"""The JSON file beside an exported one, for runtimes that cannot read its metadata."""

import contextlib
import hashlib
import json
import re
from pathlib import Path

from sknote._files import Kind, file_beside
from sknote._lazy import find
from sknote.deploy._about import INPUTS, outputs_of

_MADE_BY = "sknote.deploy.export_onnx"
_DESCRIBED = Kind(
    "classes and instruments of an exported file",
    re.compile(rb'\s*\{\s*"made_by":\s*"%s"' % re.escape(_MADE_BY.encode())),
)


@contextlib.contextmanager
def described_beside(path):
    """Give the path of a file that takes the place of the JSON file of an exported one.

    If a file is there that `export_onnx` did not write, that is a FileExistsError.
    """
    path, target = Path(path), Path(path).with_suffix(".json")
    if target == path:
        raise ValueError(
            f"export_onnx: expected a name that ends in .onnx, got {str(path)!r}; the file beside "
            "it, with classes and instruments, has that name."
        )
    with file_beside(target, "export_onnx", _DESCRIBED) as beside:
        yield beside


def describe(target, exported, about):
    """Write what there is to say of an exported file, whose metadata says `about`."""
    shapes = {"waveform": ["n_notes", "n_samples"]}
    document = {
        "made_by": _MADE_BY,
        "sknote": find("sknote.__version__"),
        "sha256": hashlib.sha256(Path(exported).read_bytes()).hexdigest(),
        **about,
        "inputs": [
            {
                "name": name,
                "type": "float32" if name == "waveform" else "int64",
                "shape": shapes.get(name, ["n_notes"]),
            }
            for name in INPUTS
        ],
        "outputs": [
            {"name": name, "type": "float32", "shape": ["n_notes", size]}
            for name, size in zip(outputs_of(about), _sizes(about))
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    Path(target).write_text(text + "\n", encoding="utf-8")


def _sizes(about):
    return [len(about["classes"]), len(about.get("confidence", {}).get("limits", ()))]
