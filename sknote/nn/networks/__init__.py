"""Networks: what they say of themselves (`_base`), the three that there are, and their parts.

`_compact` is the default one, which ends in the ensembles of `_ensemble_head`; `_analyzer` and
`_starter` look at frames, with what `_masking` has for padding and for the attack focus, and take
checkpoints of the reference recipe (`_reference`).
"""

from sknote.nn.networks._analyzer import NoteAnalyzer
from sknote.nn.networks._base import (
    NoteNetwork,
    check_network,
    inputs_of,
    network_params,
    standardize,
    traits_of,
)
from sknote.nn.networks._checks import name_of
from sknote.nn.networks._compact import CompactNet
from sknote.nn.networks._ensemble_head import EnsembleHead
from sknote.nn.networks._masking import MaskedBatchNorm2d, attack_frames
from sknote.nn.networks._reference import TABLE, own_names
from sknote.nn.networks._starter import SimpleStarterModel

__all__ = [
    "TABLE",
    "CompactNet",
    "EnsembleHead",
    "MaskedBatchNorm2d",
    "NoteAnalyzer",
    "NoteNetwork",
    "SimpleStarterModel",
    "attack_frames",
    "check_network",
    "inputs_of",
    "name_of",
    "network_params",
    "own_names",
    "standardize",
    "traits_of",
]
