"""What an exported model computes otherwise: every fork of the signal path, in this one file.

While a model is traced for export, what goes through it stands for values and has none: nothing of
it may be kept, and NumPy cannot be asked. And runtimes of exported models are good at other things
than torch: they are slow and inexact at Fourier transforms of any length. (The front end is told by
its parameter `portable`; here is what it does then.)
"""

import functools

import numpy as np
import torch
from torch.nn import functional

_LONGEST_PRODUCT = 1024  # samples, where a transform would do
_MANY = 64  # parts of a frame; more would make a large graph


def kept(make):
    """Keep what a function of plain numbers made, but nothing that was made in a trace."""
    cached = functools.lru_cache(maxsize=8)(make)

    @functools.wraps(make)
    def get(*args):
        return (make if torch.compiler.is_compiling() else cached)(*args)

    return get


def cast_buffer(module, name, like):
    """Return a module's buffer in the type of a tensor, made once.

    The conversion would take longer than some of its uses.
    """
    if torch.compiler.is_compiling():
        return getattr(module, name).to(like)
    made = module.__dict__.setdefault("_kept", {})
    key = (name, like.dtype, like.device)
    if key not in made:
        with torch.inference_mode(False):
            made[key] = getattr(module, name).to(like.device, like.dtype)
    return made[key]


def sort_last(values):
    """Sort along the last of three dimensions."""
    if values.device.type == "cpu" and not torch.compiler.is_compiling():
        return torch.from_numpy(np.sort(values.numpy(), axis=2))  # 8 times as fast as torch's
    return values.sort(dim=2).values


def autocorrelation(courses, longest):
    """Of shape (batch, n_courses, longest + 1) or more; what lies beyond the ends counts as 0."""
    if torch.compiler.is_compiling():
        later = functional.pad(courses, (0, longest)).unfold(2, longest + 1, 1)
        return (courses[:, :, None] @ later)[:, :, 0]
    size = courses.shape[2] + longest  # so long that the ends do not meet
    return torch.fft.irfft(torch.fft.rfft(courses, size).abs().square(), size)


def is_by_product(n_fft, portable):
    """Tell whether a Fourier transform is a product with a matrix, which is exact anywhere."""
    is_power = n_fft & (n_fft - 1) == 0
    return portable and (n_fft <= _LONGEST_PRODUCT or not is_power)


def is_folded(n_fft, portable):
    """Tell whether frames are folded before that product, to a quarter of the work."""
    return is_by_product(n_fft, portable) and n_fft % 4 == 0


def fold(frames):
    """Fold windowed frames, (batch, n_frames, n_fft), to the factors of four products.

    About the middle of a frame cosines are symmetric, and sines are not; about that of a half,
    those of odd bins are what those of even bins are not. The products of these four, a quarter of
    a frame each, are the cosines and the sines of the even bins, and those of the odd ones.
    """
    first, second, third, fourth = frames.chunk(4, dim=2)
    second, fourth = second.flip(2), fourth.flip(2)
    outer, inner = first + fourth, second + third
    outer_odd, inner_odd = first - fourth, second - third
    return outer + inner, outer_odd - inner_odd, outer - inner, outer_odd + inner_odd


def product_bases(window, wanted, folded):
    """Return the matrices of the products, and to which bins the columns of the powers belong.

    `wanted` is a slice of bins. Without folding there is one matrix, with the window in it, for
    real and imaginary parts in turn.
    """
    n_fft = len(window)
    bins = np.arange(wanted.start, wanted.stop)
    if not folded:
        matrix = torch.view_as_real(torch.fft.rfft(torch.diag(window))).flatten(1)
        return [matrix[:, 2 * wanted.start : 2 * wanted.stop].contiguous()], [bins.repeat(2)]
    bins = [bins[bins % 2 == parity] for parity in (0, 1)]
    from_middle = (n_fft - 1) / 2 - np.arange(n_fft // 4)
    angles = [from_middle[:, None] * own % n_fft * (2 * np.pi / n_fft) for own in bins]
    bases = [kind(own) for own in angles for kind in (np.cos, np.sin)]
    return [torch.from_numpy(basis) for basis in bases], bins


def frame_cutter(n_fft, hop_length, portable):
    """Return how frames are cut out of samples: as overlapping views, or joined from whole hops.

    The function takes samples of shape (batch, n_samples), the number of frames, their length and
    their distance; it returns shape (batch, n_frames, n_fft).
    """
    n_parts = -(-n_fft // hop_length)
    return _join_hops if portable and n_parts <= _MANY else _overlapping_views


def _overlapping_views(samples, n_frames, n_fft, hop_length):
    return samples.unfold(1, n_fft, hop_length)[:, :n_frames]


def _join_hops(samples, n_frames, n_fft, hop_length):
    hops = samples.unflatten(1, (-1, hop_length))
    parts = [hops[:, i : i + n_frames] for i in range(-(-n_fft // hop_length))]
    parts[-1] = parts[-1][:, :, : n_fft - (len(parts) - 1) * hop_length]
    return torch.cat(parts, dim=2)
