"""Synthetic recordings, made of instruments, players, recipes of faults, and a synthesis."""

from sknote.datasets.synthetic._make_notes import iter_notes, make_notes

__all__ = ["iter_notes", "make_notes"]
