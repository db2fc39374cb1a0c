"""Where the notes of a passage begin and end."""

from sknote.audio.segmentation._segmenter import NoteSegmenter, segment_notes

__all__ = ["NoteSegmenter", "segment_notes"]
