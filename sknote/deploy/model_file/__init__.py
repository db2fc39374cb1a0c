"""A fitted pipeline in one file, which names no code: what is in it is known, and is checked.

`_model_file` saves and loads. `_archive` is the file, `_pipeline` what is written into it, from
`_steps`, `_network` and `_boosting`, whose parameters `_values` turns into JSON; `_card` tells of
it in words.
"""

from sknote.deploy.model_file._card import model_card
from sknote.deploy.model_file._model_file import load, save

__all__ = ["load", "model_card", "save"]
