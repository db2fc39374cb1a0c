"""A stream tells the turns of a trill while it sounds, and then that they are one note."""

import numpy as np
from streams import RATE, ByLevel, final, stream_of

from sknote.audio import segment_notes
from sknote.datasets import make_passage
from sknote.deploy import NoteStream


class Turning:
    """Hears three sounds without a gap and, half a second after the first, that they are one."""

    look_ahead = 0.5

    def __init__(self, sample_rate):
        self.sample_rate, self.n_seen = sample_rate, 0

    @property
    def open_onsets(self):
        onsets = [onset for onset in (0.1, 0.3, 0.5) if onset <= self.n_seen / self.sample_rate]
        return onsets[: 1 if self.n_seen >= 0.6 * self.sample_rate else None]

    @property
    def sounding_since(self):
        return self.open_onsets[-1] if self.open_onsets else None

    def push(self, samples):
        self.n_seen += len(samples)
        return np.empty((0, 2))

    def flush(self):
        return np.array([[0.1, 0.9]])


def test_turns_of_a_trill_are_withdrawn_and_all_of_it_is_judged():
    stream = stream_of(hop=0.25, segmenter=Turning)
    events = stream.push(np.full(RATE, 0.5)) + stream.close()
    told = [(event.kind, event.number) for event in events if event.kind != "revised"]
    began = [("began", number) for number in (1, 2, 3)]
    assert told == [*began, ("withdrawn", 2), ("withdrawn", 3), ("judged", 1)]
    assert (events[-1].onset, events[-1].offset) == (0.1, 0.9)
    # what sounds is looked at, not what ended and may yet be taken up
    assert {event.number for event in events if event.kind == "revised"} == {1}


def test_a_trill_is_one_note_of_a_stream_and_of_a_passage():
    made = make_passage(
        15.0, instrument="flute", notes_per_second=2.0, ornaments=1.0, random_state=3
    )
    rate, notes = made.sample_rate, segment_notes(made.waveform, made.sample_rate)
    stream = NoteStream(ByLevel(rate), sample_rate=rate, hop=None)
    judged = final(stream.push(made.waveform) + stream.close())
    np.testing.assert_allclose([(one.onset, one.offset) for one in judged], notes, atol=1 / rate)
    trills = made.notes[made.notes.ornament == "trill"]
    inside = [
        ((notes[:, 0] > one.onset + 0.06) & (notes[:, 0] < one.offset - 0.06)).any()
        for one in trills.itertuples()
    ]
    assert len(inside) > 4 and np.mean(inside) < 0.4
