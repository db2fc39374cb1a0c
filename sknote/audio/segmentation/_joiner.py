"""From sounds that follow each other to notes: the turns of a trill are one note."""

from collections import deque
from dataclasses import dataclass

from sknote.audio.segmentation._frames import HOP
from sknote.audio.segmentation._trills import TrillFinder

__all__ = ["NoteJoiner"]

_PAUSE = 10  # frames of silence between two turns of a trill, at most


@dataclass
class _Note:
    onset: float  # seconds
    place: int  # frame of the onset; of the last turn's
    is_legato: bool  # without a gap before it
    offset: float | None = None  # None: it sounds
    ended: int = 0  # frames that there were when that was told
    returns: bool | None = None  # whether it sounds as if this was a turn; None: not known yet
    is_trill: bool = False
    is_hidden: bool = False  # it began within a trill, and is taken for a turn until it is none


class NoteJoiner:
    """Takes where sounds begin and end, and gives the notes that they are.

    A note that ends in silence is given at once. One that another follows without a gap waits until
    it is known whether that is a turn of a trill.
    """

    #: Frames by which a note comes later for that, at most.
    longest_doubt = TrillFinder.longest_doubt

    def __init__(self):
        self._trills = TrillFinder()
        self._n_frames = 0
        self._notes = deque()  # the first has begun for sure; the others may be turns of it

    @property
    def open_onsets(self):
        """Onsets of all that may yet be notes, in seconds; a trill that sounds is one of them."""
        in_trill = self._notes and self._notes[0].is_trill
        return [
            note.onset
            for i, note in enumerate(self._notes)
            if i == 0 or not (in_trill and note.is_hidden)
        ]

    @property
    def sounding_since(self):
        """The last of them, if it sounds, or None."""
        sounds = self._notes and self._notes[-1].offset is None
        return self.open_onsets[-1] if sounds else None

    @property
    def is_waiting(self):
        """Whether something has ended that was not given."""
        return len(self._notes) > 1 or any(note.offset is not None for note in self._notes)

    def push(self, frame):
        """Take the next frame; return onset and offset of the notes that are sure by it."""
        self._trills.push(frame)
        self._n_frames += 1
        for i, note in enumerate(self._notes):
            if i > 0 and note.returns is None:
                note.returns = self._trills.returns(note.place)
        sure = []
        while self._notes and (is_turn := self._follows()) is not None:
            first = self._notes.popleft()
            if is_turn:
                self._notes[0].onset, self._notes[0].is_trill = first.onset, True
            else:
                sure.append((first.onset, first.offset))
        return sure

    def _follows(self):
        """Tell whether the second note is a turn of the first, or there is none; None: wait."""
        first = self._notes[0]
        if len(self._notes) > 1:
            second = self._notes[1]
            if not (second.is_legato or first.is_trill):
                return False
            end = None if second.offset is None else _place(second.offset)
            places = _place(first.onset), first.place, second.place, end
            return self._trills.is_turn(*places, second.returns)
        may_go_on = first.is_trill and self._n_frames < first.ended + _PAUSE
        return None if first.offset is None or may_go_on else False

    def begin(self, onset):
        """Take an onset, in seconds; what sounded until then ends."""
        is_legato = self._notes and self._notes[-1].offset is None
        if is_legato:
            self.end(onset)
        in_trill = bool(self._notes and self._notes[0].is_trill)
        self._notes.append(_Note(onset, _place(onset), bool(is_legato), is_hidden=in_trill))

    def move(self, onset):
        """Take a better onset of what sounds."""
        self._notes[-1].onset, self._notes[-1].place = onset, _place(onset)

    def end(self, offset):
        """Take an offset, in seconds, of what sounds."""
        self._notes[-1].offset, self._notes[-1].ended = offset, self._n_frames

    def drop(self):
        """Forget what sounds: it was a noise."""
        self._notes.pop()

    def close(self, time):
        """End what sounds, in seconds; return the notes that were not given."""
        if self.sounding_since is not None:
            self.end(time)
        notes, self._notes = self._notes, deque()
        return [(note.onset, note.offset) for note in notes]


def _place(seconds):
    return round(seconds / HOP)
