"""What a file is that is not what was expected, by how it begins, and what to do with it."""

import re

from sknote._files import Kind

# the version of its format and, mostly, who made it
ONNX = Kind("an ONNX file", re.compile(rb"\x08[\x01-\x7f][\x12\x1a\x22\x28\x32\x3a\x42\x72]"))
_PICKLE = Kind("a pickle", re.compile(rb"\x80[\x02-\x05]"))
SOUND = Kind(
    "a recording", re.compile(rb"RIFF....WAVE|fLaC|OggS|ID3|\xff[\xe3\xf3\xfb]", re.DOTALL)
)
_REMEDIES = {
    ONNX: "Open it with sknote.deploy.OnnxNoteClassifier; `sknote predict`, `segment` and `listen` "
    "take it if its name ends in .onnx. A card, and another export, are made of the file of "
    "`sknote train` or sknote.deploy.save.",
    _PICKLE: "It may run any code, and so it is not opened here. If you trust it, open it in "
    "Python with pickle.load or joblib.load, and write its pipeline with sknote.deploy.save.",
    SOUND: "Name the model first, and then recordings.",
}


def other_kind(path):
    """Say what a file is, and what to do with it: a pair of texts, or None if it is not known."""
    with open(path, "rb") as file:
        head = file.read(16)
    for kind, remedy in _REMEDIES.items():
        if kind.beginning.match(head):
            return kind.name, remedy
    return None
