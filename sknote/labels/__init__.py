"""Labels with levels: parse them, order them, and roll them up."""

from sknote.labels._hierarchy import LabelHierarchy

__all__ = ["LabelHierarchy"]
