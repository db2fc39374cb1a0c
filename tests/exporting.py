"""What tests of exported pipelines share: lengths of notes, a noise, a network of one's own."""

import numpy as np
from torch import nn

from sknote import make_note_pipeline

LENGTHS = [0, 1, 2, 100, 511, 512, 513, 1023, 1024, 5000, 33333, 200_000]  # samples


def noise(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.normal(size=n_samples)).astype(np.float32)


class OnlyLevel(nn.Module):
    """A network of a user's own."""

    def __init__(self, num_instruments, num_classes):
        super().__init__()
        self.instrument = nn.Embedding(num_instruments, num_classes)
        self.level = nn.Linear(1, num_classes)

    def forward(self, spectrogram, lengths, instrument):
        level = spectrogram.sum(dim=(1, 2)) / lengths / spectrogram.shape[2]
        return self.level(level[:, None]) + self.instrument(instrument)


def fit_and_export(path, X, y, **params):
    from sknote.deploy import OnnxNoteClassifier, export_onnx

    params |= {"classify__max_epochs": 1, "classify__random_state": 0}
    pipeline = make_note_pipeline(**params).fit(X, y)
    return pipeline, OnnxNoteClassifier(export_onnx(pipeline, path))
