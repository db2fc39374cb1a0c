"""NoteNetwork: what a network says of itself, is made with, and is given to look at."""

import functools
import inspect

import numpy as np
from torch import nn

from sknote.nn.networks._checks import accepted_by, name_of
from sknote.spectral._lengths import frame_mask
from sknote.spectral._sounding import crop_to_sound, without_level

__all__ = [
    "NoteNetwork",
    "check_network",
    "inputs_of",
    "network_params",
    "standardize",
    "traits_of",
]


class NoteNetwork(nn.Module):
    """Base class of networks for :class:`~sknote.NoteClassifier`: what they say of themselves.

    Any ``nn.Module`` that looks at frames will do without it: it counts as one with the defaults
    below. A constructor is called with ``num_instruments`` and ``num_classes``, and with ``axes``,
    ``n_bins`` and ``frame_rate`` where it names them.

    Parameters
    ----------
    *args, **kwargs : object
        As in :class:`torch.nn.Module`.

    Attributes
    ----------
    looks_at : {"frames", "description"}
        "frames": ``forward(spectrogram, lengths, instrument)`` is called with standardized
        spectrograms of shape (batch, n_frames, n_bins), zero beyond each note's own frames, their
        lengths, and the indices of the instruments, of which 0 is unknown. "description":
        ``forward(instrument, **description)`` is called with what :meth:`describe` made of each
        note, once and not in every epoch. Either returns logits of shape (batch, num_classes).
    independent : bool
        Whether :meth:`members` are networks that do not depend on each other, and so can be
        trained in threads.

    Examples
    --------
    >>> import torch
    >>> from sknote import NoteClassifier
    >>> from sknote.nn import NoteNetwork, frame_mask
    >>> class MeanSpectrum(NoteNetwork):
    ...     looks_at = "description"
    ...
    ...     def __init__(self, num_instruments, num_classes, n_bins):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(n_bins, num_classes)
    ...
    ...     @staticmethod
    ...     def describe(spectrogram, lengths, axes):
    ...         inside = frame_mask(lengths, spectrogram.shape[1])[:, :, None]
    ...         return {"mean": (spectrogram * inside).sum(dim=1) / lengths[:, None]}
    ...
    ...     def forward(self, instrument, mean):
    ...         return self.layer(mean)
    >>> NoteClassifier(MeanSpectrum)
    NoteClassifier(module=<class '...MeanSpectrum'>)
    """

    looks_at = "frames"
    independent = False

    @staticmethod
    def describe(spectrogram, lengths, axes):
        """Describe notes by tensors of fixed size; for networks that look at a description.

        Parameters
        ----------
        spectrogram : Tensor of shape (batch, n_frames, n_bins)
            In dB; what lies beyond a note's own frames means nothing.
        lengths : Tensor of shape (batch,), int64
            Frames that belong to each note, at least one.
        axes : SpectralAxes
            What frames and bins mean.

        Returns
        -------
        dict of str to Tensor of shape (batch, ...)
            Tensors of shape (batch, n_rows, n_bins) have the frequency axis of the spectrogram:
            they are standardized, row by row, and augmentation shifts their pitch. Others are
            taken as they are.
        """
        raise NotImplementedError

    @staticmethod
    def level_slopes(axes):
        """Tell how a description moves with the level of a recording, for augmentation.

        Parameters
        ----------
        axes : SpectralAxes
            What frames and bins mean.

        Returns
        -------
        dict of str to Tensor
            Change per dB, broadcast over a note's values; 0 for what is not named.
        """
        return {}

    def members(self, inputs, generator=None):
        """Prepare one call for each independent member of the network.

        Parameters
        ----------
        inputs : dict of str to Tensor
            Arguments of ``forward``.
        generator : torch.Generator or None, default=None
            Draws what they need of randomness; None is torch's global generator.

        Returns
        -------
        list of callable
            Without arguments; in training each returns logits of its own.
        """
        return [functools.partial(self, **inputs)]


def traits_of(network):
    """Return the class that tells what a network, or a class of networks, is like.

    One that says nothing of itself has the defaults of :class:`NoteNetwork`.
    """
    while isinstance(network, functools.partial):
        network = network.func
    kind = network if isinstance(network, type) else type(network)
    return kind if issubclass(kind, NoteNetwork) else NoteNetwork


def inputs_of(network, spectrogram, lengths, axes, level="absolute"):
    """Make what a network looks at of what sounds: its frames, or a description of them.

    Of spectrograms in dB, shape (batch, n_frames, n_bins), with the frames that belong to each,
    and with their level, or ("relative") without.
    """
    traits = traits_of(network)
    name = traits.__name__
    spectrogram, lengths = crop_to_sound(spectrogram, lengths)
    if level == "relative":
        spectrogram = without_level(spectrogram)
    if traits.looks_at == "frames":
        return {"spectrogram": spectrogram, "lengths": lengths}
    if traits.looks_at != "description":
        raise ValueError(
            f"{name}: expected looks_at to be 'frames' or 'description', got {traits.looks_at!r}."
        )
    if traits.describe is NoteNetwork.describe:
        raise TypeError(
            f"{name} looks at a description: write its static method "
            "describe(spectrogram, lengths, axes)."
        )
    description = traits.describe(spectrogram, lengths, axes)
    if not isinstance(description, dict):
        got = type(description).__name__
        raise TypeError(f"{name}.describe: expected a dict of Tensors by name, got {got}.")
    return dict(description)


def standardize(inputs, mean, scale):
    """Bring inputs to mean 0 and deviation 1; frames beyond a note's own become 0.

    Mean and scale are of those that are to be standardized: of shape (n_bins,) for a spectrogram,
    of (n_rows, 1) for profiles.
    """
    out = dict(inputs)
    for name in mean:
        out[name] = (inputs[name] - mean[name]) / scale[name]
    if "lengths" in out:
        spectrogram = out["spectrogram"]
        inside = frame_mask(out["lengths"], spectrogram.shape[1])
        out["spectrogram"] = spectrogram * inside[:, :, None].to(spectrogram.dtype)
    return out


def network_params(network, params, axes, n_instruments, num_classes):
    """Put together the arguments of a network's constructor: those that it names, and the user's.

    There is one more instrument than is known, which stands for all others. A ValueError says that
    `network` makes no network, or names what the user gives and the constructor does not take.
    """
    if isinstance(network, nn.Module):
        raise ValueError(
            f"NoteClassifier: expected module to be a class, got an instance of "
            f"{type(network).__name__}, which each fit would train further. Pass the class, and "
            "its arguments as module_params."
        )
    accepted, takes_any = accepted_by(network)
    counts = {"num_instruments": n_instruments + 1, "num_classes": num_classes}
    known = counts | {"axes": axes, "n_bins": axes.n_bins, "frame_rate": axes.frame_rate}
    given = {name: value for name, value in known.items() if name in accepted}
    if takes_any and not counts.keys() & accepted:
        given |= counts
    params = params or {}
    if not takes_any and (unknown := set(params) - accepted):
        raise ValueError(
            f"NoteClassifier: module_params names {sorted(unknown, key=str)}; {name_of(network)} "
            f"accepts {sorted(accepted - set(known))}, and the classifier itself gives "
            f"{sorted(given)}."
        )
    for name in known:
        if name in params and not np.array_equal(params[name], known[name]):
            raise ValueError(
                f"NoteClassifier: expected module_params without {name}, which is that of the "
                f"notes ({known[name]}), got {params[name]!r}."
            )
    return given | params


def check_network(made, network):
    """Check that what a class, or a function, has made is a network that can be trained."""
    name = name_of(network)
    if not isinstance(made, nn.Module):
        raise ValueError(
            f"NoteClassifier: expected module to make a torch.nn.Module, {name} makes "
            f"{type(made).__name__}. Pass the class of your network."
        )
    if not any(weights.requires_grad for weights in made.parameters()):
        raise ValueError(
            f"NoteClassifier: expected {name} to have weights that can be trained, it has none."
        )
    told, found = traits_of(network), traits_of(made)
    if (told.looks_at, told.independent) != (found.looks_at, found.independent):
        raise ValueError(
            f"NoteClassifier: {name} makes {found.__name__}, and does not say so. Pass the class, "
            "and its arguments as module_params, or functools.partial."
        )
    if found.looks_at != "frames":
        return
    try:
        inspect.signature(made.forward).bind(spectrogram=None, lengths=None, instrument=None)
    except TypeError as error:
        raise ValueError(
            f"NoteClassifier: expected {type(made).__name__}.forward(spectrogram, lengths, "
            f"instrument), got forward{inspect.signature(made.forward)}."
        ) from error
