"""How networks are trained.

`_notes` checks and merges notes, `_data` makes frames or descriptions of them, `_batches` cuts
these into batches, which `_augment` varies by the `_effects` that chance draws (`_draws`), and
`_recording` by what recordings do to notes (`_recording_effects`). `_train` runs the skorch net of
`_net`, with the `_loss` (where class weights are) and `_callbacks`, of which `_pretrained` is one
for users.
"""

from sknote.nn.training._augment import SpectrogramAugment
from sknote.nn.training._callbacks import check_callbacks
from sknote.nn.training._data import training_data
from sknote.nn.training._loss import class_weights
from sknote.nn.training._net import check_same_network
from sknote.nn.training._notes import PreparedNotes, prepare_notes
from sknote.nn.training._pretrained import PretrainedWeights
from sknote.nn.training._recording import RecordingAugment
from sknote.nn.training._train import TrainingOptions, train

__all__ = [
    "PreparedNotes",
    "PretrainedWeights",
    "RecordingAugment",
    "SpectrogramAugment",
    "TrainingOptions",
    "check_callbacks",
    "check_same_network",
    "class_weights",
    "prepare_notes",
    "train",
    "training_data",
]
