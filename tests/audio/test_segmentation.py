"""Notes of a passage: the same whatever the chunks are, and where the sound begins and ends."""

import copy
import pickle
import sys

import numpy as np
import pytest

from sknote.audio import NoteSegmenter, segment_notes
from sknote.audio.segmentation import _network
from sknote.exceptions import AudioDecodeWarning

RATE = 22050


def tone(frequency, seconds, rate=RATE, level=0.3):
    """A tone with ten harmonics, an attack of 10 ms and a release of 20 ms."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = [k for k in range(1, 11) if k * frequency < rate / 2]
    sound = sum(np.sin(2 * np.pi * k * frequency * time + k) / k for k in harmonics)
    envelope = np.minimum(1, np.minimum(time / 0.01, (seconds - time) / 0.02))
    return (level * envelope * sound).astype(np.float32)


def passage(onsets, seconds, frequencies, rate=RATE, level=0.3):
    """Tones of the same length at given times, over a little noise."""
    noise = np.random.default_rng(0).standard_normal(round((onsets[-1] + seconds + 0.5) * rate))
    waveform = (1e-4 * noise).astype(np.float32)
    for onset, frequency in zip(onsets, frequencies, strict=True):
        start = round(onset * rate)
        sound = tone(frequency, seconds, rate, level)
        waveform[start : start + len(sound)] += sound
    return waveform


ONSETS = np.array([0.3, 0.7, 1.1, 1.5, 1.9, 2.3])
SCALE = [261.6, 293.7, 329.6, 349.2, 392.0, 392.0]


@pytest.fixture(scope="module")
def waveform():
    return passage(ONSETS, 0.32, SCALE)


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 48000])
def test_tones_are_found_at_any_rate(rate):
    notes = segment_notes(passage(ONSETS, 0.32, SCALE, rate), rate)
    assert notes.shape == (len(ONSETS), 2)
    np.testing.assert_allclose(notes[:, 0], ONSETS, atol=0.03)
    np.testing.assert_allclose(notes[:, 1], ONSETS + 0.32, atol=0.06)


@pytest.mark.parametrize("gain", [0.1, 0.5, 2])
def test_gain_changes_no_note(waveform, gain):
    notes = segment_notes(gain * waveform, RATE)
    assert len(notes) == len(ONSETS)
    np.testing.assert_allclose(notes[:, 0], ONSETS, atol=0.03)


@pytest.mark.parametrize("sizes", [[1, 0, 7], [220], [441, 1000, 3], [10**6]])
def test_any_chunks_give_the_same_notes(waveform, sizes):
    whole = segment_notes(waveform[: 2 * RATE], RATE)
    segmenter = NoteSegmenter(RATE)
    notes, start, i = [], 0, 0
    while start < 2 * RATE:
        size = min(sizes[i % len(sizes)], 2 * RATE - start)
        notes.append(segmenter.push(waveform[start : start + size]))
        start, i = start + size, i + 1
    np.testing.assert_array_equal(np.concatenate([*notes, segmenter.flush()]), whole)


def test_notes_come_within_the_look_ahead(waveform):
    segmenter = NoteSegmenter(RATE)
    told = {}
    ended = []
    for start in range(0, len(waveform), 220):
        notes = segmenter.push(waveform[start : start + 220])
        ended += [(offset, segmenter.time) for _, offset in notes]
        if segmenter.sounding_since is not None:
            told.setdefault(segmenter.sounding_since, segmenter.time)
    assert len(told) == len(ended) == len(ONSETS)
    late = 220 / RATE + 0.011  # what a chunk and a frame add
    assert all(time - onset <= segmenter.look_ahead + late for onset, time in told.items())
    assert all(time - offset <= segmenter.look_ahead + late for offset, time in ended)


def test_notes_are_in_order_and_within_the_stream(waveform):
    notes = segment_notes(waveform[: round(2.0 * RATE)], RATE)  # cut within a note
    assert (notes[:, 0] < notes[:, 1]).all()
    assert (notes[1:, 0] >= notes[:-1, 1]).all()
    assert notes.min() >= 0
    assert notes.max() == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_by_itself(waveform, copied):
    first = NoteSegmenter(RATE)
    notes = first.push(waveform[:RATE])
    second = copied(first)
    rest = [np.concatenate([one.push(waveform[RATE:]), one.flush()]) for one in (first, second)]
    np.testing.assert_array_equal(*rest)
    np.testing.assert_array_equal(np.concatenate([notes, rest[0]]), segment_notes(waveform, RATE))


@pytest.mark.parametrize("seconds", [0, 0.001, 0.5, 5])
def test_silence_has_no_notes(seconds):
    assert segment_notes(np.zeros(round(seconds * RATE)), RATE).shape == (0, 2)


def test_an_endless_note_is_one_and_takes_no_more_memory():
    segmenter = NoteSegmenter(RATE)
    segmenter.push(tone(220, 1)[: RATE // 2])
    assert segmenter.sounding_since == pytest.approx(0, abs=0.03)
    sizes = []
    for _ in range(20):
        segmenter.push(tone(220, 1.0)[RATE // 4 : -RATE // 4])
        sizes.append(len(pickle.dumps(segmenter)))
    assert max(sizes) < 1.1 * min(sizes)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((2, 100)), r"shape \(2, 100\)"),
        (np.array(["a"]), "floats or integers"),
        (np.array([0.0, np.nan]), "nan at 1"),
        (np.array([0.0, 0.0, -np.inf]), "-inf at 2"),
        (3.0, r"shape \(\) .*Pass an array"),
        (None, r"got NoneType. Read a recording with sknote.AudioLoader"),
        ("a.wav", r"got str. Read"),
    ],
)
def test_odd_samples_are_refused_and_the_stream_goes_on(waveform, samples, words):
    segmenter = NoteSegmenter(RATE)
    notes = [segmenter.push(waveform[:RATE])]
    with pytest.raises(ValueError, match=f"NoteSegmenter: .*{words}"):
        segmenter.push(samples)
    with pytest.raises(ValueError, match=f"segment_notes: .*{words}"):
        segment_notes(samples, RATE)
    notes += [segmenter.push(waveform[RATE:]), segmenter.flush()]
    np.testing.assert_array_equal(np.concatenate(notes), segment_notes(waveform, RATE))


def test_integers_are_taken_by_their_full_scale(waveform):
    integers = np.round(waveform * 32768).astype(np.int16)
    np.testing.assert_allclose(
        segment_notes(integers, RATE), segment_notes(waveform, RATE), atol=2e-2
    )


@pytest.mark.parametrize("rate", [0, 999, -22050, 10**6, "44100", None, True, np.nan])
def test_odd_rates_are_refused(rate):
    with pytest.raises(ValueError, match="NoteSegmenter: expected a sample_rate"):
        NoteSegmenter(rate)


@pytest.mark.parametrize("threshold", [0, 1, -1, "0.5", None, np.nan])
def test_odd_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match="NoteSegmenter: expected a threshold"):
        NoteSegmenter(RATE, threshold=threshold)


def test_a_flushed_stream_is_over(waveform):
    segmenter = NoteSegmenter(RATE)
    segmenter.push(waveform)
    segmenter.flush()
    assert segmenter.flush().shape == (0, 2)
    assert segmenter.time == pytest.approx(len(waveform) / RATE)
    with pytest.raises(ValueError, match="flushed"):
        segmenter.push(waveform)


def test_weights_that_cannot_be_read_for_want_of_a_package_name_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    _network._load_weights.cache_clear()
    with pytest.raises(ImportError, match="pip install safetensors"):
        NoteSegmenter(22050)


def test_a_column_is_one_channel_and_integers_of_64_bits_are_warned_of(waveform):
    expected = segment_notes(waveform, RATE)
    np.testing.assert_array_equal(segment_notes(waveform[:, None], RATE), expected)
    segmenter = NoteSegmenter(RATE)
    notes = np.concatenate([segmenter.push(waveform[:, None]), segmenter.flush()])
    np.testing.assert_array_equal(notes, expected)
    wide = np.rint(waveform * 32767).astype(np.int64)
    with pytest.warns(AudioDecodeWarning, match=r"^segment_notes: .*int64 is divided by 2\*\*63"):
        segment_notes(wide, RATE)
    with pytest.warns(
        AudioDecodeWarning, match=r"^NoteSegmenter: .*cast it to int16 or int32"
    ) as told:
        NoteSegmenter(RATE).push(wide)
    assert [one.filename for one in told] == [__file__]
    assert len(segment_notes(np.zeros(RATE, np.int64), RATE)) == 0


def test_samples_far_above_full_scale_are_to_be_divided():
    with pytest.raises(ValueError, match=r"got 70000\.0 at 1\. Divide samples by their full scale"):
        segment_notes(np.array([0, 70000.0]), RATE)
    with pytest.raises(ValueError, match=r"got nan at 0\. Put 0 in its place"):
        segment_notes(np.array([np.nan, 0.1]), RATE)
