"""SpectrogramDisplay: a note over time and frequency, with seconds, hertz and note names."""

import numpy as np

from sknote.inspection._drawing import place

__all__ = ["SpectrogramDisplay"]

_HERTZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_C4 = 261.6256  # Hz


class SpectrogramDisplay:
    """A spectrogram with seconds and hertz on its axes, and the names of notes at the right.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_frames, n_bins)
        In dB, as :class:`~sknote.Spectrogram` makes it.
    axes : SpectralAxes
        What its rows and columns mean.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Around them.
    mesh_ : matplotlib QuadMesh
        The spectrogram.

    Examples
    --------
    >>> import numpy as np
    >>> from sknote.inspection import SpectrogramDisplay
    >>> tone = 0.1 * np.sin(2 * np.pi * 440 / 22050 * np.arange(11025))
    >>> display = SpectrogramDisplay.from_recording(tone)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('time (s)', 'frequency (Hz)')
    """

    def __init__(self, spectrogram, axes):
        self.spectrogram = spectrogram
        self.axes = axes

    @classmethod
    def from_recording(cls, recording, *, spectrogram=None, ax=None, **plot_params):
        """Draw a recording.

        Parameters
        ----------
        recording : path, bytes, binary file object or 1-D array
            As :class:`~sknote.AudioLoader` reads it; an array is at the sample rate of the
            spectrogram.
        spectrogram : Spectrogram or None, default=None
            How to make it; None is ``Spectrogram()``.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        SpectrogramDisplay
        """
        from sknote.feature_extraction import AudioLoader, Spectrogram

        maker = Spectrogram() if spectrogram is None else spectrogram
        waveforms = AudioLoader(maker.sample_rate).fit_transform([recording])
        return cls(maker.fit_transform(waveforms)[0], maker.axes).plot(ax=ax, **plot_params)

    def plot(self, ax=None, *, range_db=70.0, cmap="magma", note_names=True):
        """Draw the spectrogram.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        range_db : float, default=70.0
            What is shown below the loudest, in dB.
        cmap : str or Colormap, default="magma"
            Its colours.
        note_names : bool, default=True
            Whether a second axis at the right names the C of each octave.

        Returns
        -------
        SpectrogramDisplay
        """
        from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

        self.figure_, self.ax_ = _, ax = place(self, ax, (6.5, 3.6))
        values = np.asarray(self.spectrogram, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(self.axes.frequencies) or not len(values):
            raise ValueError(
                f"SpectrogramDisplay: expected a spectrogram of shape (n_frames, n_bins) on "
                f"{self.axes}, got shape {values.shape}."
            )
        hertz = self.axes.frequencies
        heard = hertz > 0  # the axis is logarithmic
        peak = float(values.max()) if values.size else 0.0
        seconds = np.arange(len(values) + 1) / self.axes.frame_rate
        self.mesh_ = ax.pcolormesh(
            seconds,
            _edges(hertz[heard]),
            values[:, heard].T,
            cmap=cmap,
            vmin=peak - range_db,
            vmax=peak,
            rasterized=True,
        )
        low, high = hertz[heard][0], hertz[heard][-1]
        ax.set(yscale="log", xlabel="time (s)", ylabel="frequency (Hz)", ylim=(low, high))
        shown = [one for one in _HERTZ if low <= one <= high]
        _set_ticks(ax, shown, [f"{one:g}" for one in shown], FixedLocator, FixedFormatter)
        ax.yaxis.set_minor_locator(NullLocator())
        if note_names:
            octaves = [n for n in range(-1, 11) if low <= _C4 * 2.0 ** (n - 4) <= high]
            right = ax.secondary_yaxis("right")
            places = [_C4 * 2.0 ** (n - 4) for n in octaves]
            _set_ticks(right, places, [f"C{n}" for n in octaves], FixedLocator, FixedFormatter)
            right.yaxis.set_minor_locator(NullLocator())
        return self


def _set_ticks(ax, places, names, locator, formatter):
    ax.yaxis.set_major_locator(locator(places))
    ax.yaxis.set_major_formatter(formatter(names))


def _edges(centres):
    """Return where cells begin and end around their centres, on a logarithmic axis."""
    if len(centres) == 1:
        return centres[0] * np.array([0.9, 1.1])
    logs = np.log(centres)
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]]))
