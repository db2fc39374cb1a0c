"""The synthesiser, against sums of sines written out in double precision."""

import numpy as np
import pytest

from sknote.datasets.synthetic._synthesis import (
    HOP,
    MAX_PARTIALS,
    Note,
    bump,
    from_db,
    n_partials,
    ramp,
    render,
    to_db,
    wander,
)

DRY = np.ones(1, dtype=np.float32)
QUIET = -300.0


def make_note(seconds=1.0, sample_rate=22050, frequency=440.0, partials=(0.0,), **changes):
    """A steady tone without attack and release."""
    n_samples = round(seconds * sample_rate)
    time = np.arange(-(-n_samples // HOP) + 1) * HOP / sample_rate
    note = Note(
        time=time,
        n_samples=n_samples,
        sample_rate=sample_rate,
        frequency=frequency,
        partials=np.array(partials, dtype=float)[:, None],
        onset=-1.0,
        end=seconds + 1,
        attack=0.1,
        release=0.1,
        cents=np.zeros_like(time),
        level=np.zeros_like(time),
        tilt=np.zeros_like(time),
        volume=-20.0,
    )
    for name, value in changes.items():
        setattr(note, name, value(time) if callable(value) else value)
    return note


def sound_of(note, **options):
    options = {"room": DRY, "floor": QUIET, "rng": np.random.default_rng(0)} | options
    return render(note, **options)


def rms_db(sound):
    return 20 * np.log10(np.sqrt(np.mean(np.square(sound, dtype=float))))


def spectrum_peak(sound, sample_rate):
    size = 1 << 19
    magnitude = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    return magnitude.argmax() * sample_rate / size


def test_a_tone_has_the_pitch_and_the_level_asked_for():
    sound = sound_of(make_note())
    assert sound.dtype == np.float32 and sound.shape == (22050,)
    assert rms_db(sound) == pytest.approx(-20, abs=0.01)
    assert spectrum_peak(sound, 22050) == pytest.approx(440, abs=0.1)


@pytest.mark.parametrize("cents", [-1200, 100, 1200])
def test_cents(cents):
    sound = sound_of(make_note(cents=lambda time: np.full_like(time, cents)))
    assert spectrum_peak(sound, 22050) == pytest.approx(440 * 2 ** (cents / 1200), abs=0.1)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 12.0])
def test_sum_of_partials_agrees_with_the_formula(seconds):
    """Everything moves: pitch, level, tilt, envelope."""
    note = make_note(
        seconds,
        partials=(0.0, -6.0, -3.0, -20.0),
        onset=0.01,
        end=seconds - 0.005,
        attack=seconds / 4,
        release=seconds / 5,
        cents=lambda time: 200 * np.sin(3 * time),
        level=lambda time: 6 * np.cos(2 * time),
        tilt=lambda time: -4 * np.sin(5 * time),
    )
    sound = sound_of(note)

    phases = 2 * np.pi * np.random.default_rng(0).random(4)
    fine = np.arange(note.n_samples) / note.sample_rate
    hertz = np.interp(fine, note.time, note.frequency * 2 ** (note.cents / 1200))
    angle = 2 * np.pi * np.cumsum(hertz) / note.sample_rate
    octaves = np.log2([1, 2, 3, 4])[:, None]
    levels = note.partials + note.tilt * octaves
    power = (10 ** (levels / 10)).sum(axis=0)
    levels = levels - 10 * np.log10(power) + note.level + note.volume
    levels = levels + (1 + 0.2 * octaves) * to_db(note.envelope())
    expected = sum(
        np.interp(fine, note.time, np.sqrt(2) * 10 ** (level / 20)) * np.sin(k * angle + phase)
        for k, level, phase in zip((1, 2, 3, 4), levels, phases)
    )
    np.testing.assert_allclose(sound, expected, atol=3e-5)


def test_tilt_moves_the_spectrum_and_not_the_level():
    partials = np.zeros(8)
    flat = sound_of(make_note(partials=partials))
    dark = sound_of(make_note(partials=partials, tilt=lambda time: np.full_like(time, -12.0)))
    assert rms_db(dark) == pytest.approx(rms_db(flat), abs=0.02)
    # Partial 8 is three octaves up: 36 dB weaker, relative to the first.
    levels = np.abs(np.fft.rfft(dark))[[440, 8 * 440]]
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(36, abs=0.1)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 48000])
@pytest.mark.parametrize("frequency", [41.2, 440.0, 3520.0])
def test_no_partial_crosses_half_the_sampling_rate(frequency, sample_rate):
    count = n_partials(frequency, sample_rate)
    assert 1 <= count <= MAX_PARTIALS
    assert count * frequency < sample_rate / 2
    # Also where the pitch curve is higher than the pitch that the partials were counted for.
    note = make_note(
        1.0, sample_rate, frequency, np.zeros(count), cents=lambda time: 150 * np.sin(9 * time)
    )
    magnitude = np.abs(np.fft.rfft(sound_of(note) * np.hanning(sample_rate)))
    top = int(0.98 * sample_rate / 2)
    assert magnitude[top:].max() < 3e-4 * magnitude.max()


@pytest.mark.parametrize("low, high", [(300, 1000), (2000, 6000)])
def test_noise_has_its_level_and_its_band(low, high):
    noise = sound_of(
        make_note(4.0, volume=-20.0, level=lambda t: t - 200, noises=[(-6, low, high)])
    )
    assert rms_db(noise) == pytest.approx(-26, abs=0.3)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.linspace(0, 11025, len(power))
    assert power[(hertz > low / 1.5) & (hertz < high * 1.5)].sum() > 0.8 * power.sum()


def test_floor_is_the_only_sound_of_a_silent_note():
    floor = sound_of(make_note(4.0, level=lambda time: time - 300), floor=-60.0)
    # The floor falls above 300 Hz, so that white noise of -60 dB loses most of its power.
    assert -85 < rms_db(floor) < -60
    assert abs(np.corrcoef(floor[:-2000], floor[2000:])[0, 1]) < 0.1


def test_room_is_a_convolution():
    room = np.array([1, 0, 0, -0.5], dtype=np.float32)
    dry = sound_of(make_note(0.1))
    np.testing.assert_allclose(
        sound_of(make_note(0.1), room=room), np.convolve(dry, room)[: len(dry)], atol=1e-5
    )


def test_another_tone_has_its_own_pitch():
    extra = make_note(tones=[(1.5, np.full(346, 0.0))])
    assert len(extra.time) == 346
    magnitude = np.abs(np.fft.rfft(sound_of(extra)))
    assert magnitude[660] == pytest.approx(magnitude[440], rel=0.01)


def test_too_loud_is_scaled_not_clipped():
    sound = sound_of(make_note(volume=10.0))
    assert np.abs(sound).max() == pytest.approx(0.99, abs=1e-3)
    assert np.mean(np.abs(sound) > 0.98) < 0.1


def test_curves():
    time = np.linspace(0, 1, 1001)
    assert ramp(time, 0.2, 0.4)[[0, 200, 400, 600, 1000]] == pytest.approx([0, 0, 0.5, 1, 1])
    plateau = bump(time, 0.3, 0.2, edge=0.02)
    assert plateau[[280, 400, 520]] == pytest.approx([0, 1, 0])
    assert from_db(to_db(np.array([1e-3, 0.5]))) == pytest.approx([1e-3, 0.5])
    assert to_db(0.0) == -120
    curve = wander(np.random.default_rng(0), np.linspace(0, 500, 50_000), 0.5, 4)
    assert np.std(curve) == pytest.approx(1, abs=0.02)
    assert abs(curve.mean()) < 0.02
