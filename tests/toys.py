"""A small network and small notes, for tests of the classifier."""

import numpy as np
import torch
from skorch.callbacks import Callback

from sknote import NoteClassifier

LABELS = ["bad^attack", "bad > worse", "good sound"]
SMALL = {"n_profiles": 2, "n_cepstra": 1, "channels": 8, "n_members": 4, "width": 32}
FRAMES = {"module": "starter", "module_params": None}  # a network that looks at frames


def model(**params):
    return NoteClassifier(
        **{
            "max_epochs": 6,
            "module_params": SMALL,
            "lr": 0.01,
            "augment": None,  # 8 bins are too few for the shifts of the default
            "random_state": 0,
        }
        | params
    )


def toy(n_notes=60, seed=0, n_bins=8, dtype=np.float32):
    """Ragged spectrograms whose class is the band that is loudest."""
    rng = np.random.default_rng(seed)
    X = [
        (rng.standard_normal((rng.integers(3, 60), n_bins)) + 3 * np.eye(3, n_bins)[i % 3]).astype(
            dtype
        )
        for i in range(n_notes)
    ]
    return X, np.array(LABELS)[np.arange(n_notes) % 3]


def weights_of(classifier):
    parameters = classifier.net_.module_.parameters()
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


class Held(Callback):
    """Keep the validation part."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.train = X

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.valid = dataset_valid
