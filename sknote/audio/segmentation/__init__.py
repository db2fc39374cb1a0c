"""Where the notes of a passage begin and end.

Public are `NoteSegmenter` and `segment_notes`; the frames are here for what trains the network.
"""

from sknote.audio.segmentation._frames import (
    HOP,
    N_HIGH,
    N_LOW,
    band_levels,
    band_octaves,
    relative_levels,
)
from sknote.audio.segmentation._segmenter import NoteSegmenter, segment_notes

__all__ = [
    "HOP",
    "N_HIGH",
    "N_LOW",
    "NoteSegmenter",
    "band_levels",
    "band_octaves",
    "relative_levels",
    "segment_notes",
]
