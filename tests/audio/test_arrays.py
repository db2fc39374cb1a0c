"""Arrays of samples: what they become, and what is none."""

import numpy as np
import pytest

from sknote.audio import from_array
from sknote.exceptions import AudioDecodeError, AudioDecodeWarning

RATE = 22050


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-0.9, 0.9, 5000)


class _Odd:
    """An object that is an array until it is looked at."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error("no")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ((np.zeros(10), 44100), r"a pair of samples and a rate\. Pass the samples alone"),
        ((44100, np.zeros(10)), "a pair of samples and a rate"),
        ([np.zeros((10, 2)), np.int64(44100)], "a pair of samples and a rate"),
        ((np.zeros(10), "44100"), "a pair of samples and a rate"),
        ((np.array(44100), np.zeros(10)), "a pair of samples and a rate"),
        ({"array": np.zeros(10), "sampling_rate": 8000}, "got a dict"),
        ([[0.0, 1.0], [0.0]], "a list whose parts differ in length"),
        (np.ma.masked_greater(np.arange(5.0), 3), "masked"),
        (np.zeros(5, "M8[s]"), "numeric array"),
        (np.array([0.0, None]), "numeric array"),
        ([0.1, None], "numeric array"),
        (np.zeros(5, [("left", "f4"), ("right", "f4")]), "numeric array"),
        (np.zeros((100, 200)), "at most 64 channels"),
        (np.float64(3.0), "numeric array"),
        (object(), "expected a path, bytes, .* got object"),
        ({1.0, 2.0}, "got set"),
        (None, r"got NoneType \(it is missing\)"),
        (float("nan"), "it is missing"),
        (_Odd(RuntimeError), "RuntimeError: no"),
        (_Odd(MemoryError), "not enough memory"),
    ],
)
def test_what_is_no_array_of_samples(array, message):
    with pytest.raises(AudioDecodeError, match=message):
        from_array(array, input_rate=RATE, sample_rate=RATE)


def test_arrays_of_odd_kinds_are_read(noise):
    expected = noise.astype(np.float32)
    for array in (
        noise.astype(">f4"),
        noise.astype(np.longdouble),
        np.ma.masked_array(noise),
        np.repeat(noise, 2)[::2],
        noise[::-1][::-1],
        list(noise),
        memoryview(noise).toreadonly().tolist(),
    ):
        waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
        np.testing.assert_allclose(waveform, expected, atol=1e-7)
        assert waveform.dtype == np.float32
    big = np.array([-32768, 16384], dtype=">i2")
    np.testing.assert_array_equal(from_array(big, input_rate=RATE, sample_rate=RATE), [-1, 0.5])


def test_tensors_are_taken_off_their_graph(noise):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(noise, dtype=torch.float32, requires_grad=True)
    for one in (tensor, tensor * 2 / 2, tensor.detach()):
        waveform = from_array(one, input_rate=RATE, sample_rate=RATE)
        np.testing.assert_allclose(waveform, noise, atol=1e-6)
    dense, signed = r"Pass a dense one of type float32, on the CPU$", r"resolve_conj\(\)\.resolve"
    odd = {
        tensor.bfloat16(): r"bfloat16, .*Pass its \.float\(\)$",
        tensor.to_sparse(): dense,
        torch.zeros(5, device="meta"): dense,
        tensor.to(torch.complex64).conj().imag: signed,
        tensor.bool(): "numeric array",
    }
    for one, message in odd.items():
        with pytest.raises(AudioDecodeError, match=message):
            from_array(one, input_rate=RATE, sample_rate=RATE)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "AIFF", "CAF"])
def test_the_bytes_of_a_file_are_no_samples(encode, noise, format):
    for dtype in (np.uint8, np.int16, np.float32):
        contents = encode(noise, format=format)
        numbers = np.frombuffer(contents[: len(contents) // 8 * 8], dtype)
        with pytest.raises(AudioDecodeError, match=r"bytes of a sound file.*x\.tobytes\(\)"):
            from_array(numbers, input_rate=RATE, sample_rate=RATE)


def test_a_number_too_large_for_float32_is_refused():
    with pytest.raises(AudioDecodeError, match=r"go up to 1e\+300, where full scale is 1"):
        from_array(np.full(5, 1e300), input_rate=RATE, sample_rate=RATE)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signed_integers_are_divided_by_full_scale(dtype):
    limits = np.iinfo(dtype)
    array = np.array([limits.min, limits.min // 2, 0, limits.max // 2 + 1], dtype=dtype)
    waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, [-1.0, -0.5, 0.0, 0.5])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_unsigned_integers_are_centred(dtype):
    half = np.iinfo(dtype).max // 2 + 1
    array = np.array([0, half // 2, half, half + half // 2], dtype=dtype)
    waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
    np.testing.assert_array_equal(waveform, [-1.0, -0.5, 0.0, 0.5])


def test_int64_warns_of_its_scale():
    with pytest.warns(AudioDecodeWarning, match=r"divided by 2\*\*63.*cast it to int16"):
        waveform = from_array(np.array([2**62]), input_rate=RATE, sample_rate=RATE)
    np.testing.assert_array_equal(waveform, [0.5])


def of_width(values, bits, dtype, shift=0):
    """Round to so many bits, as their type has them: unsigned ones have their middle at half."""
    half = 1 << bits - 1
    rounded = np.round(np.multiply(values, half - 1)).astype(np.int64)
    return np.asarray(rounded + (half if np.dtype(dtype).kind == "u" else 0), dtype) << shift


@pytest.mark.parametrize(
    ("bits", "dtype", "remedy"),
    [
        (16, np.int32, "cast it to int16"),
        (24, np.int32, "multiply it by 256"),
        (8, np.int32, "fit into 8 bits"),
        (16, np.uint32, "multiply it by 65536"),
        (24, np.uint32, "multiply it by 256"),
        (8, np.uint16, "multiply it by 256"),
        (12, np.uint16, "multiply it by 16 first"),
        (32, np.uint64, "divided by 2.*63"),
    ],
)
def test_integers_that_are_held_in_a_wider_type_are_told(noise, bits, dtype, remedy):
    for array in (of_width(noise, bits, dtype), of_width([noise, noise / 2], bits, dtype)):
        with pytest.warns(AudioDecodeWarning, match=f"type {np.dtype(dtype)} .*{remedy}") as said:
            from_array(array, input_rate=RATE, sample_rate=RATE)
        assert len(said) == 1


def test_soft_sound_and_all_that_files_are_read_as_are_not(noise):
    soft = 1e-3 * noise
    for array in (
        of_width(soft, 16, np.int16),
        of_width(soft, 16, np.int32, shift=16),  # as soundfile reads 16 bits
        of_width(soft, 24, np.int32, shift=8),
        of_width(10 * soft, 32, np.int32),
        of_width(soft, 8, np.uint8),
        of_width(soft, 16, np.uint16),
        of_width(soft, 16, np.uint32, shift=16),
        np.zeros(9, np.int32),
    ):
        remarks = []
        from_array(array, input_rate=RATE, sample_rate=RATE, remarks=remarks)
        assert remarks == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_kept(noise, dtype):
    waveform = from_array(noise.astype(dtype), input_rate=RATE, sample_rate=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform, noise.astype(dtype).astype(np.float32))


def test_channels_of_an_array_lie_in_its_shorter_axis(noise):
    stereo = np.stack([noise, 0.5 * noise])
    expected = 0.75 * noise
    for array in (stereo, stereo.T):
        waveform = from_array(array, input_rate=RATE, sample_rate=RATE)
        np.testing.assert_allclose(waveform, expected, atol=1e-6)


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2, 2)), np.array(3.0), np.array(["a"]), np.zeros(3, bool), np.zeros(3, complex)],
)
def test_arrays_that_are_no_sound(array):
    with pytest.raises(AudioDecodeError, match="numeric array of 1 or 2 dimensions"):
        from_array(array, input_rate=RATE, sample_rate=RATE)


def test_an_array_is_not_changed(noise):
    array = noise.astype(np.float32)
    before = array.copy()
    from_array(array, input_rate=44100, sample_rate=RATE)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("shape", [(0,), (0, 1), (0, 2), (2, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
def test_an_empty_array_is_said_as_an_empty_file_is(shape, dtype):
    options = {"input_rate": 44100, "sample_rate": 22050}
    remarks = []
    for more in ({}, {"max_duration": 1.0}):
        waveform = from_array(np.zeros(shape, dtype), **options, **more, remarks=remarks)
        assert waveform.shape == (0,)
    assert remarks == ["it is empty (0 samples), and becomes an empty waveform"] * 2
    with pytest.warns(AudioDecodeWarning, match="it is empty"):
        from_array(np.zeros(shape, dtype), **options)


@pytest.mark.parametrize("shape", [(10**12,), (10**12, 2), (2, 10**12)])
def test_what_lies_outside_the_part_that_is_asked_for_is_not_looked_at(shape):
    endless = np.broadcast_to(np.float32(0.25), shape)
    options = {"input_rate": 8000, "sample_rate": 8000, "max_duration": 0.5}
    assert from_array(endless, **options).tolist() == [0.25] * 4000
    odd = np.full(8000, 0.25)
    odd[5000:] = np.nan
    assert from_array(odd, **options).tolist() == [0.25] * 4000
    odd = odd[::-1]
    assert from_array(odd, offset=0.5, **options).tolist() == [0.25] * 4000


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_what_is_constant_stays_so_at_another_rate(rate):
    for array in (np.full(rate, 0.5), np.full((2, rate), 0.5)):
        waveform = from_array(array, input_rate=rate, sample_rate=RATE)
        assert waveform.tolist() == [0.5] * RATE
