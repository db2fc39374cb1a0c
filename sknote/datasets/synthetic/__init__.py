"""Synthetic recordings, made of instruments, players, recipes of faults, and a synthesis."""

from sknote.datasets.synthetic._make_notes import iter_notes, make_notes
from sknote.datasets.synthetic._make_passage import make_passage

__all__ = ["iter_notes", "make_notes", "make_passage"]
