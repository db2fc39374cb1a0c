"""What waits for a stream is bounded, and what is dropped is counted where it is missing."""

import threading
import time

import numpy as np
import pytest
from streams import RATE, ByLevel, final, stream_of

from sknote.deploy import SampleQueue


def lengths(waiting):
    return [chunk if isinstance(chunk, int) else chunk.tolist() for chunk in waiting]


def test_chunks_come_out_as_they_went_in():
    waiting = SampleQueue(100)
    buffer = np.zeros(2)
    for value in range(3):
        buffer[:] = value
        assert waiting.put(buffer)
    waiting.put([])
    assert waiting.n_waiting == 6
    waiting.close()
    assert lengths(waiting) == [[0, 0], [1, 1], [2, 2], []]
    assert (waiting.n_waiting, waiting.n_dropped) == (0, 0)
    assert lengths(waiting) == []  # and ends again


def test_what_finds_no_room_is_counted_and_told_where_it_is_missing():
    waiting = SampleQueue(4)
    assert [waiting.put([value] * 3) for value in range(3)] == [True, False, False]
    assert (waiting.n_waiting, waiting.n_dropped) == (3, 6)
    chunks = iter(waiting)
    assert next(chunks).tolist() == [0, 0, 0]
    assert waiting.put([3])
    waiting.skip(7)
    assert waiting.put([4, 4])
    assert not waiting.put([5, 5])
    waiting.close()
    assert [c if isinstance(c, int) else c.tolist() for c in chunks] == [6, [3], 7, [4, 4], 2]
    assert waiting.n_dropped == 8


@pytest.mark.parametrize("n_lost", [-3, 2.5, "a", None, float("nan"), True])
def test_a_wrong_number_of_lost_samples_is_told_where_it_is_said(n_lost):
    waiting = SampleQueue(4)
    with pytest.raises(ValueError, match=r"^SampleQueue: expected a whole number of samples"):
        waiting.skip(n_lost)
    waiting.close()
    assert lengths(waiting) == []


def test_a_chunk_longer_than_the_queue_is_taken_if_nothing_waits():
    waiting = SampleQueue(1)
    assert waiting.put(np.zeros((9, 2)))
    assert waiting.n_waiting == 9


def test_after_a_drop_notes_are_where_they_were_played(tone):
    note, rest = tone(0.3, 440, 0.5, RATE) + 0.1, np.zeros(RATE)
    music = np.concatenate([rest, note, rest, rest, note, rest])
    whole = stream_of()
    expected = final(whole.push(music) + whole.close())
    waiting = SampleQueue(4 * RATE)
    for place in range(0, len(music), RATE // 10):
        if 21 <= place // (RATE // 10) < 29:  # a pause of whoever listens
            waiting.skip(RATE // 10)
        else:
            waiting.put(music[place : place + RATE // 10])
    waiting.close()
    assert waiting.n_dropped == 0
    found = final(stream_of().listen(waiting))
    assert [(e.onset, e.offset, e.label) for e in found] == [
        (e.onset, e.offset, e.label) for e in expected
    ]


def test_while_much_sound_waits_there_are_no_provisional_verdicts(tone):
    model = ByLevel()
    stream = stream_of(model, hop=0.1)
    model.heard.clear()
    waiting = SampleQueue(10**6)
    for start in range(30):
        waiting.put(np.full(RATE // 10, 0.5 + start / 100))
    waiting.close()
    events = list(stream.listen(waiting))
    looks = [event.at for event in events if event.kind == "revised"]
    assert looks and min(looks) > 2.6
    assert len(final(events)) == 1


def test_a_put_never_waits_for_a_slow_stream():
    waiting = SampleQueue(RATE // 2)
    slow = type("Slow", (ByLevel,), {"predict_proba": lambda self, X: _late(X)})

    def _late(X):
        time.sleep(0.2)
        return np.full((len(X), 3), 1 / 3)

    stream = stream_of(slow(), hop=0.05)
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(stream.listen(waiting)))
    listener.start()
    spent = []
    for _ in range(200):
        before = time.thread_time()
        waiting.put(np.full(RATE // 10, 0.5))
        spent.append(time.thread_time() - before)
    waiting.close()
    listener.join()
    assert max(spent) < 0.05
    assert waiting.n_dropped > 0
    assert heard[-1].kind == "judged"
    assert stream.position == pytest.approx(20, abs=0.1)


def test_without_chunks_the_waiting_ends():
    waiting = SampleQueue(9, timeout=0.05)
    waiting.put([1])
    chunks = iter(waiting)
    next(chunks)
    with pytest.raises(TimeoutError, match="Is the device still there"):
        next(chunks)


def test_after_it_was_closed_nothing_is_taken():
    waiting = SampleQueue(9)
    assert waiting.put([1, 2])
    waiting.close()
    assert not waiting.put([3, 4, 5])
    assert waiting.n_dropped == 3
    assert [len(chunk) for chunk in waiting] == [2]


def test_the_error_that_it_was_closed_with_comes_last():
    waiting = SampleQueue(9)
    waiting.put(np.full(9, 0.5))
    waiting.close(OSError("unplugged"))
    stream, events = stream_of(), []
    with pytest.raises(OSError, match="unplugged"):
        for event in stream.listen(waiting):
            events.append(event.kind)
    assert events == ["began", "judged"]


@pytest.mark.parametrize(
    "options", [{"max_samples": 0}, {"max_samples": 2.5}, {"max_samples": 9, "timeout": 0}]
)
def test_a_wrong_bound_is_named(options):
    with pytest.raises(ValueError, match="SampleQueue: expected"):
        SampleQueue(**options)


@pytest.mark.parametrize("chunk", [5, None, "abc", {"a": 1}])
def test_what_is_no_chunk_is_said_to_whoever_puts_it(chunk):
    waiting = SampleQueue(100)
    with pytest.raises(ValueError, match=r"^SampleQueue: expected a chunk of samples, got"):
        waiting.put(chunk)
    assert waiting.n_waiting == 0
