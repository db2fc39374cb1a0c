"""The levels of labels of which nothing was said."""

from sknote.labels._hierarchy import LabelHierarchy

__all__ = ["QUALITIES", "usual_hierarchy"]

QUALITIES = ("bad", "regular", "good")


def usual_hierarchy(labels):
    """Return ``LabelHierarchy()`` if any label begins with a quality, and None else.

    Any other label can be cut at a hyphen as well, ``mezzo-forte`` too, which makes no levels.
    """
    usual = LabelHierarchy()
    first = {usual.parse(str(label))["quality"] for label in labels}
    return None if first.isdisjoint(QUALITIES) else usual
