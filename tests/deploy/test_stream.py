"""A stream hears the notes of the whole recording, in whatever pieces it comes."""

import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from streams import RATE, ByLevel, LoudParts, cut, final, pieces, stream_of

from sknote.audio import resample
from sknote.deploy import NoteEvent, NoteStream, OnnxNoteClassifier, SampleQueue
from sknote.exceptions import AudioDecodeWarning


@pytest.fixture(scope="module")
def music():
    """Notes of many lengths and levels, with rests, and one that sounds at the end."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(12):
        parts.append(np.zeros(round(rng.uniform(0.06, 0.3) * RATE)))
        time = np.arange(round(rng.choice([0.03, 0.1, 0.4, 1.7]) * RATE)) / RATE
        parts.append(rng.uniform(0.1, 0.9) * np.cos(2 * np.pi * 440 * time))
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture(scope="module")
def expected(music):
    stream = stream_of()
    return stream.push(music) + stream.close()


def test_final_verdicts_are_the_model_s_on_the_notes_that_are_cut(music, expected):
    whole = LoudParts(RATE)
    notes = np.concatenate([whole.push(music), whole.flush()])
    assert len(notes) == 12
    proba = ByLevel().predict_proba(cut(music, notes))
    found = final(expected)
    assert [(event.onset, event.offset) for event in found] == [tuple(note) for note in notes]
    np.testing.assert_array_equal([event.probabilities for event in found], proba)
    order = np.argsort(-proba, axis=1)
    classes = ByLevel.classes_
    for event, row, p in zip(found, order, proba):
        assert (event.label, event.runner_up) == (classes[row[0]], classes[row[1]])
        assert (event.probability, event.runner_up_probability) == (p[row[0]], p[row[1]])


def test_each_note_begins_is_revised_while_it_sounds_and_is_judged_once(expected):
    assert Counter(event.kind for event in expected)["judged"] == 12
    for number in range(1, 13):
        of_note = [event for event in expected if event.number == number]
        last = of_note[-1]
        n_looks = int((last.offset - last.onset) / 0.5)
        assert [event.kind for event in of_note] == ["began", *["revised"] * n_looks, "judged"]
        assert [event.at for event in of_note] == sorted(event.at for event in of_note)
        assert of_note[0].at - of_note[0].onset <= 0.02
        assert last.at <= last.offset + LoudParts.look_ahead + 0.02
        assert all(event.offset is None for event in of_note[:-1])
        assert of_note[0].label is None and of_note[-1].label in ByLevel.classes_


@pytest.mark.parametrize("seed", range(6))
def test_any_chunks_give_the_same_events(music, expected, seed):
    rng = np.random.default_rng(seed)
    lengths = [(0, 1, 2, 79, 80, 81, 441, 4000), (0, 1, 1, 1, 99), (80,), (7, 0), (10**6,)]
    lengths = lengths[seed % 5]
    stream, events = stream_of(), []
    for piece in pieces(music, rng, lengths):
        events += stream.push(piece)
    assert events + stream.close() == expected
    assert stream.close() == []
    assert stream.position == len(music) / RATE


def test_any_delay_and_any_thread_give_the_same_final_events(music, expected):
    waiting = SampleQueue(len(music), timeout=20)
    rng = np.random.default_rng(0)

    def play():
        buffer = np.zeros(4000, np.float32)  # which the next chunk overwrites, as a sound card's
        for piece in pieces(music, rng):
            buffer[: len(piece)] = piece
            assert waiting.put(buffer[: len(piece)])
            time.sleep(float(rng.choice([0, 0.003])))
        waiting.close()

    player = threading.Thread(target=play)
    player.start()
    events = list(stream_of().listen(waiting))
    player.join()
    assert final(events) == final(expected)
    assert waiting.n_dropped == waiting.n_waiting == 0


def test_a_provisional_verdict_hears_the_last_seconds_of_its_note_alone(tone):
    model = ByLevel()
    sound = np.concatenate([np.zeros(RATE // 10), tone(2.0, 500.5, 0.5, RATE), np.zeros(RATE)])
    stream = stream_of(model, hop=0.25, window=0.5)
    model.heard.clear()
    events = stream.push(sound)
    looks = [event for event in events if event.kind == "revised"]
    times = [event.at - event.onset for event in looks]
    assert times == pytest.approx(0.25 * np.arange(1, len(looks) + 1), abs=0.011)
    assert len(looks) in (7, 8)
    for event, heard in zip(looks, model.heard):
        start = max(event.onset - 0.05, event.at - 0.5)
        expected = sound[round(start * RATE) : round(event.at * RATE)].astype(np.float32)
        np.testing.assert_array_equal(heard, expected)
    assert len(model.heard) == len(looks) + 1

    whole = stream_of(model, hop=0.25, window=None)
    model.heard.clear()
    looks = [event for event in whole.push(sound) if event.kind == "revised"]
    assert [len(heard) / RATE for heard in model.heard[:-1]] == pytest.approx(
        [event.at - event.onset + 0.05 for event in looks]
    )
    assert {event.kind for event in stream_of(hop=None).push(sound)} == {"began", "judged"}


def test_channels_are_averaged_and_integers_are_scaled(music, expected):
    stereo = np.stack([1.5 * music, 0.5 * music], axis=1)
    assert stream_of().push(stereo) == stream_of().push(music)
    whole = np.round(music * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    events = stream_of().push(whole)
    assert [event.label for event in final(events)] == [e.label for e in final(expected)][:11]
    assert stream_of().push(music.tolist()) == stream_of().push(music)


def test_notes_are_resampled_for_the_model(tone):
    model = ByLevel(RATE // 2)
    stream = stream_of(model, hop=None)
    model.heard.clear()
    note = tone(0.5, 440, 0.5, RATE) + 0.1
    (judged,) = final(stream.push(note) + stream.close())
    start, stop = round(judged.onset * RATE), round(judged.offset * RATE)
    np.testing.assert_array_equal(model.heard[0], resample(note[start:stop], RATE, RATE // 2))
    assert NoteStream(model, segmenter=LoudParts).sample_rate == RATE // 2


def test_an_endless_note_is_judged_once_in_bounded_memory():
    stream = stream_of(hop=None, longest=2.0)
    events, room = [], stream._recent._ring.nbytes
    for _ in range(100):
        events += stream.push(np.full(RATE // 10, 0.5))
    events += stream.close()
    assert [event.kind for event in events] == ["began", "judged"]
    assert events[1].offset is None
    assert events[1].at == pytest.approx(2.05, abs=0.02)
    assert events[1].probability == pytest.approx(
        ByLevel().predict_proba([np.full(2 * RATE, 0.5)]).max()
    )
    assert stream._recent._ring.nbytes == room
    # a late segmenter, which tells of a note when it has ended, gives the same verdict
    late = type("Late", (LoudParts,), {"sounding_since": None})
    stream = stream_of(hop=None, longest=2.0, segmenter=late)
    (judged,) = final(stream.push(np.full(3 * RATE, 0.5)) + stream.close())
    assert judged.offset is None


def test_after_an_endless_note_others_are_heard(tone):
    drone = np.full(3 * RATE, 0.5)
    rest, note = np.zeros(RATE), tone(0.3, 440, 0.5, RATE) + 0.1
    stream = stream_of(longest=2.0)
    found = final(stream.push(np.concatenate([drone, rest, note, rest])))
    assert [event.offset is None for event in found] == [True, False]


@pytest.mark.parametrize("sound", ["silence", "noise", "offset"])
def test_what_is_no_music_is_heard_without_an_error(sound):
    rng = np.random.default_rng(0)
    n_samples = 5 * RATE
    samples = {
        "silence": np.zeros(n_samples),
        "noise": rng.normal(0, 0.1, n_samples),
        "offset": np.full(n_samples, 1e-3),
    }[sound]
    stream = stream_of()
    events = stream.push(samples) + stream.close()
    assert bool(final(events)) == (sound == "noise")


def test_ten_minutes_are_heard_in_pieces(music):
    long = np.tile(music, int(600 * RATE / len(music)) + 1)
    whole = LoudParts(RATE)
    notes = np.concatenate([whole.push(long), whole.flush()])
    stream, found = stream_of(hop=None), []
    for start in range(0, len(long), 9 * RATE):
        found += final(stream.push(long[start : start + 9 * RATE]))
    found += final(stream.close())
    assert len(notes) > 500
    assert [(event.onset, event.offset) for event in found] == [tuple(note) for note in notes]


def test_nan_and_what_is_far_too_loud_are_silence_with_one_warning(music, expected):
    bad = music.astype(np.float64)
    gaps = np.flatnonzero(music == 0)[::5]
    bad[gaps[0::4]], bad[gaps[1::4]] = np.nan, np.inf
    bad[gaps[2::4]], bad[gaps[3::4]] = -1e300, 1e6
    stream, events = stream_of(), []
    with pytest.warns(AudioDecodeWarning, match="taken for silence") as caught:
        for piece in pieces(bad, np.random.default_rng(1)):
            events += stream.push(piece)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert events + stream.close() == expected


def test_samples_that_are_not_divided_by_full_scale_are_said_once():
    stream = stream_of()
    with pytest.warns(AudioDecodeWarning, match="divide them by their own full scale") as caught:
        for _ in range(3):
            stream.push(np.full(100, 12000.0))
    assert len(caught) == 1
    with pytest.warns(AudioDecodeWarning, match="int64"):
        stream_of().push(np.arange(100))


@pytest.mark.parametrize(
    ("right", "words"),
    [(-1.0, "the stream's channels cancel each other"), (0.0, "sound is in one of its 2 channels")],
)
def test_channels_that_cancel_or_are_silent_are_said_once(right, words, music):
    both = np.stack([music, right * music], axis=1)
    expected = stream_of()
    expected = expected.push((1 + right) / 2 * music) + expected.close()
    stream, events = stream_of(), []
    with pytest.warns(AudioDecodeWarning, match=words) as caught:
        for start in range(0, len(both), 500):
            events += stream.push(both[start : start + 500])
    assert len(caught) == 1 and caught[0].filename == __file__
    assert events + stream.close() == expected


def test_channels_that_are_alike_are_nothing_to_say(music, expected):
    stream = stream_of()
    assert stream.push(np.stack([music, music], axis=1)) + stream.close() == expected


@pytest.mark.parametrize("rate", [float(RATE), np.float32(RATE), np.int64(RATE)])
def test_a_whole_rate_may_have_any_type(rate, music, expected):
    stream = stream_of(sample_rate=rate)
    assert type(stream.sample_rate) is int
    events = stream.push(music) + stream.close()
    assert events == expected
    assert {type(event.onset) for event in events} == {float}


REFUSED = {
    "text": "abc",
    "nothing": None,
    "number": 3.0,
    "object": object(),
    "ragged": [[1.0], [1.0, 2.0]],
    "complex": np.zeros(9, complex),
    "truth": np.zeros(9, bool),
    "cube": np.zeros((2, 2, 2)),
    "masked": np.ma.masked_greater(np.arange(3.0), 1),
    "transposed": np.zeros((2, 441)),
    "with its rate": (np.zeros(9, np.float32), 44100),
    "a rate and samples": (44100, np.zeros(9, np.float32)),
    "more channels": np.zeros((9, 2)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_chunk_that_holds_no_samples_is_one_error_and_the_stream_goes_on(kind, music, expected):
    stream = stream_of()
    events = stream.push(music[:5000])
    with pytest.raises((ValueError, TypeError), match="NoteStream: expected"):
        stream.push(REFUSED[kind])
    events += stream.push(music[5000:])
    assert events + stream.close() == expected


def test_a_changed_rate_is_an_error_and_the_stream_goes_on(music, expected):
    stream = stream_of()
    events = stream.push(music[:5000], RATE)
    with pytest.raises(ValueError, match=f"expected samples at {RATE} Hz, got 44100 Hz"):
        stream.push(music[5000:], 44100)
    assert events + stream.push(music[5000:], RATE) + stream.close() == expected


def test_a_closed_stream_takes_no_more(music):
    stream = stream_of()
    stream.close()
    for more in (lambda: stream.push(music), lambda: stream.skip(3)):
        with pytest.raises(ValueError, match="is closed"):
            more()
    assert stream.close() == []


class Failing(ByLevel):
    """Fails on the third and the fourth note."""

    def predict_proba(self, X):
        if len(self.heard) in (3, 4):  # one was heard when the stream was made
            self.heard.append(None)
            raise RuntimeError("no idea")
        return super().predict_proba(X)


def test_what_a_model_fails_on_is_lost_and_nothing_else(music, expected):
    without = [event for event in expected if event.kind != "revised"]
    without = [e for e in without if e.kind != "judged" or e.number not in (3, 4)]
    stream, events, n_errors = stream_of(Failing(), hop=None), [], 0
    for piece in [music, *[[]] * 3]:
        try:
            events += stream.push(piece)
        except RuntimeError:
            n_errors += 1
    assert n_errors == 2
    assert events + stream.close() == without
    errors = []
    listened = stream_of(Failing(), hop=None).listen([music], on_error=errors.append)
    assert list(listened) == without
    assert [str(error) for error in errors] == ["no idea"] * 2
    with pytest.raises(RuntimeError, match="no idea"):
        list(stream_of(Failing(), hop=None).listen([music]))


def test_an_error_of_the_source_comes_after_what_was_heard(music):
    def source():
        yield music[:20000]
        raise OSError("unplugged")

    events, listened = [], stream_of().listen(source())
    with pytest.raises(OSError, match="unplugged"):
        for event in listened:
            events.append(event)
    stream = stream_of()
    assert events == stream.push(music[:20000]) + stream.close()
    with pytest.raises(ValueError, match="NoteStream: expected numbers"):
        list(stream_of().listen([music, "text"], on_error=events.append))


@pytest.mark.parametrize(
    "source",
    ["notes.wav", b"RIFF", Path("a.wav"), np.zeros(9), np.zeros(9, np.int16), 3, None, open],
)
def test_what_is_no_source_of_chunks_is_told_before_anything_is_heard(source, music):
    stream = stream_of()
    with pytest.raises(TypeError, match="NoteStream: expected an iterable of chunks to listen to"):
        stream.listen(source)
    with Path(__file__).open("rb") as file, pytest.raises(TypeError, match="got BufferedReader"):
        stream.listen(file)
    assert list(stream.listen([music])) == list(stream_of().listen(iter([music])))


@pytest.mark.parametrize(
    ("name", "words"), [("tuba", "It knows 'flute', 'oboe'"), ("obolon", "'oboe'")]
)
def test_an_instrument_that_the_model_does_not_know_is_said_once(name, words, music):
    model = ByLevel()
    model.instruments_ = ["flute", "oboe"]
    with pytest.warns(
        UserWarning, match=f"NoteStream: the instrument '{name}' is unkn.*{words}"
    ) as said:
        stream = NoteStream(model, name, sample_rate=RATE, segmenter=LoudParts)
        stream.push(music)
    assert len(said) == 1
    for known in ("flute", None):
        NoteStream(model, known, sample_rate=RATE, segmenter=LoudParts)


class Other(ByLevel):
    def __init__(self, proba):
        super().__init__()
        self.proba = proba

    def predict_proba(self, X):
        return self.proba


@pytest.mark.parametrize(
    "proba", [[[0.5, 0.5]], [[0.2] * 4], [0.2, 0.4, 0.4], [[np.nan] * 3], [], [[0.3] * 3] * 2]
)
def test_a_model_of_other_labels_than_it_says_is_told_at_once(proba):
    with pytest.raises(ValueError, match="probability for each of its 3 classes"):
        stream_of(Other(np.array(proba)))


@pytest.mark.parametrize(
    "model, error",
    [
        (None, TypeError),
        (object(), TypeError),
        (LoudParts(RATE), TypeError),
        (OnnxNoteClassifier, TypeError),  # which has all that it takes, but for a file
    ],
)
def test_what_is_no_fitted_model_is_told_at_once(model, error):
    with pytest.raises(error, match="expected a fitted model with predict_proba and classes_"):
        NoteStream(model, sample_rate=RATE, segmenter=LoudParts)


@pytest.mark.parametrize(
    "options",
    [
        {"sample_rate": 0},
        {"sample_rate": 22050.5},
        {"sample_rate": 10**7},
        {"hop": 0},
        {"hop": "1"},
        {"window": -1.0},
        {"window": float("nan")},
        {"longest": None},
        {"longest": float("inf")},
        {"longest": 1e12},
        {"hop": 1e308},
        {"window": 4e3},
    ],
)
def test_a_wrong_parameter_is_named(options):
    with pytest.raises(ValueError, match=f"NoteStream: expected .*{min(options)}"):
        stream_of(**options)


@pytest.mark.parametrize("value", [5, True, "raise"])
def test_what_is_to_be_called_can_be_called(value, music):
    with pytest.raises(TypeError, match=r"^NoteStream: expected segmenter to be callable or None"):
        stream_of(segmenter=value)
    with pytest.raises(TypeError, match=r"^NoteStream: expected on_error to be callable or None"):
        stream_of().listen([music], on_error=value)


def test_the_rate_is_the_usual_one_where_a_model_does_not_tell():
    class Silent(ByLevel):
        read_options = property()

    assert NoteStream(Silent(), segmenter=LoudParts).sample_rate == 22050
    with pytest.raises(TypeError, match="the name of an instrument"):
        stream_of(instrument=3)


@pytest.mark.parametrize("n_lost", [0, 500, RATE, RATE + 1, 50 * RATE, 10**9])
@pytest.mark.parametrize("seed", range(2))
def test_times_are_right_after_lost_samples(music, n_lost, seed):
    place = 20000
    before = stream_of(hop=None)
    events = before.push(music[:place])
    rng = np.random.default_rng(seed)
    stream, found = stream_of(hop=None), []
    for piece in pieces(music[:place], rng):
        found += stream.push(piece)
    found += stream.skip(n_lost)
    for piece in pieces(music[place:], rng):
        found += stream.push(piece)
    found += stream.close()
    if n_lost <= RATE:
        silence = np.zeros(n_lost, np.float32)
        filled = stream_of(hop=None)
        assert found == filled.push(np.concatenate([music[:place], silence, music[place:]])) + (
            filled.close()
        )
        return
    events += before.close()
    after = stream_of(hop=None)
    later = after.push(music[place:]) + after.close()
    n_before = len(final(events))
    assert final(found)[:n_before] == final(events)
    shift = (place + n_lost) / RATE
    for one, other in zip(final(found)[n_before:], final(later), strict=True):
        assert one.number == n_before + other.number
        assert one.probabilities == other.probabilities
        assert one.onset == pytest.approx(other.onset + shift, rel=1e-12)
        assert one.at == pytest.approx(other.at + shift, rel=1e-12)


@pytest.mark.parametrize("n_lost", [-1, 2.0, True, None, "9"])
def test_a_wrong_number_of_lost_samples_is_named(n_lost):
    with pytest.raises(ValueError, match=r"^NoteStream: expected a whole number of samples"):
        stream_of().skip(n_lost)


def told_by(since, notes=(), sound=0.5):
    """Events of a stream whose segmenter is told what sounds, and when, and what has ended."""

    class Told(LoudParts):
        def push(self, samples):
            before = self.n_seen / RATE
            self.n_seen += len(samples)
            now = self.n_seen / RATE
            return np.array([n for when, n in notes if before < when <= now]).reshape(-1, 2)

        @property
        def sounding_since(self):
            return next((on for on, (a, b) in since if a <= self.n_seen / RATE < b), None)

        def flush(self):
            return np.zeros((0, 2))

    stream = stream_of(segmenter=Told, hop=None)
    events = stream.push(np.full(RATE, sound)) + stream.close()
    return [(event.kind, event.number, event.onset, event.offset) for event in events]


def test_what_was_no_note_is_withdrawn():
    events = told_by([(0.05, (0.1, 0.2)), (0.6, (0.65, 0.8))], [(0.8, (0.6, 0.75))])
    assert events == [
        ("began", 1, 0.05, None),
        ("withdrawn", 1, 0.05, None),
        ("began", 2, 0.6, None),
        ("judged", 2, 0.6, 0.75),
    ]
    # by another that begins, or by the end of the stream
    events = told_by([(0.05, (0.1, 0.4)), (0.3, (0.4, 9))])
    assert [event[:2] for event in events] == [
        *(("began", 1), ("withdrawn", 1), ("began", 2), ("withdrawn", 2))
    ]


def test_an_onset_may_move_a_little():
    events = told_by([(0.05, (0.1, 0.15)), (0.09, (0.15, 0.6))], [(0.6, (0.1, 0.55))])
    assert events == [("began", 1, 0.05, None), ("judged", 1, 0.1, 0.55)]


def test_a_note_that_begins_where_another_ends_is_told_before_that_is_judged():
    events = told_by([(0.05, (0.1, 0.4)), (0.35, (0.4, 9))], [(0.4, (0.05, 0.35))])
    kinds = [event[:2] for event in events]
    assert kinds == [("began", 1), ("began", 2), ("judged", 1), ("withdrawn", 2)]


def test_a_note_may_be_told_when_it_has_ended():
    notes = [(0.5, (0.1, 0.4)), (0.5, (0.41, 0.45))]
    assert [event[:2] for event in told_by([], notes)] == [
        *(("began", 1), ("began", 2), ("judged", 1), ("judged", 2))
    ]


def test_an_event_is_plain_and_does_not_change():
    event = NoteEvent("began", 1, 0.5, 0.25)
    with pytest.raises(AttributeError):
        event.label = "good"
    assert hash(event) == hash(NoteEvent("began", 1, 0.5, 0.25))
