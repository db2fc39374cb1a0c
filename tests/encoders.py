"""Recordings as phones and browsers make them, encoded by PyAV."""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}


def record(samples, rate, container="mp4", codec="aac", *, bit_rate=None, **options):
    """Encode samples, shape (n_samples,) or (n_samples, n_channels), as the bytes of a file.

    `options` are FFmpeg's for the container, such as ``movflags="faststart"``.
    """
    return record_tracks([samples], rate, container, codec, bit_rate=bit_rate, **options)


def record_tracks(
    tracks,
    rate,
    container="mp4",
    codec="aac",
    *,
    bit_rate=None,
    default=0,
    video=None,
    picture=None,
    tags=None,
    **options,
):
    """Encode several audio tracks, of which one is the `default`, after a `video` and a `picture`.

    These are names of codecs. `tags` is a dict of what the file says of itself.
    """
    import av
    from av.stream import Disposition

    with tempfile.TemporaryDirectory() as folder:  # some containers are read again at their end
        path = Path(folder, "recording")
        with av.open(str(path), "w", format=container, options=options) as file:
            file.metadata.update(tags or {})
            streams = []
            for name, mark in ((video, 0), (picture, Disposition.attached_pic)):
                if name:
                    stream = file.add_stream(name, rate=10)
                    stream.width, stream.height = 64, 48
                    stream.pix_fmt = "rgb24" if name == "png" else "yuv420p"
                    stream.disposition = mark
                    streams.append((stream, _pictures(1 if mark else 10)))
            for number, samples in enumerate(tracks):
                frame = _sound(samples, rate)
                stream = file.add_stream(codec, rate=rate, layout=frame.layout.name)
                if bit_rate:
                    stream.bit_rate = bit_rate
                stream.disposition = Disposition.default if number == default else 0
                streams.append((stream, [frame]))
            for stream, frames in streams:
                for frame in [*frames, None]:
                    for packet in stream.encode(frame):
                        file.mux(packet)
        return path.read_bytes()


def _sound(samples, rate):
    import av

    samples = np.ascontiguousarray(samples, np.float32)
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    layout = LAYOUTS.get(n_channels, f"{n_channels} channels")
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame


def _pictures(count):
    import av

    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        yield frame
