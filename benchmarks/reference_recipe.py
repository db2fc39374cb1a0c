"""The reference recipe, written literally, to be timed beside sknote's pipeline.

The errors included, such as an average over the padding. None of it is for use; `benchmarks.models`
has its networks as sknote makes them, corrected.
"""

from itertools import pairwise

import librosa
import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional

SAMPLE_RATE = 22050  # in Hz
N_FFT, HOP_LENGTH = 512, 128  # in samples
EPOCHS, BATCH_SIZE, PREDICT_BATCH_SIZE = 30, 32, 64
LONGEST = 10.0  # seconds of a note that are decoded

# Network → channels of its convolutions, size of the instrument's embedding, width of the head
_SIZES = {"full": ((1, 64, 128, 256), 64, 512), "starter": ((1, 64, 128), 32, 256)}


def load(path):
    """Decode a recording; returns a waveform of shape (n_samples,)."""
    return librosa.load(path, sr=SAMPLE_RATE, duration=LONGEST)[0]


def augment(waveform, rng):
    """Shift the pitch, stretch the time and add noise, each with a probability of one half."""
    if rng.random() > 0.5:
        semitones = rng.uniform(-2, 2)
        waveform = librosa.effects.pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=semitones)
    if rng.random() > 0.5:
        waveform = librosa.effects.time_stretch(waveform, rate=rng.uniform(0.9, 1.1))
    if rng.random() > 0.5:
        waveform = waveform + rng.normal(0, 0.002, len(waveform))
    return waveform


def spectrogram(waveform):
    """Return magnitudes in dB, of mean 0 and deviation 1: a Tensor (1, 257, n_frames)."""
    spectrum = librosa.stft(waveform, n_fft=N_FFT, hop_length=HOP_LENGTH)
    decibels = librosa.amplitude_to_db(np.abs(spectrum))
    decibels = (decibels - decibels.mean()) / decibels.std()
    return torch.as_tensor(decibels, dtype=torch.float32)[None]


def pad(spectrograms):
    """Pad with zeros to the longest: a Tensor (n_notes, 1, 257, max_n_frames)."""
    longest = max(one.shape[-1] for one in spectrograms)
    return torch.stack([functional.pad(one, (0, longest - one.shape[-1])) for one in spectrograms])


class Recurrent(nn.GRU):
    """A GRU in place of a Conv1d: what the recipe does without, to save time."""

    def forward(self, x):
        """Process a Tensor (n_notes, n_channels, n_frames)."""
        return super().forward(x.transpose(1, 2))[0].transpose(1, 2)


def temporal_layer(n_inputs, *, recurrent=False):
    """Return the full network's layer over time, or what it was chosen in place of."""
    if recurrent:
        return Recurrent(n_inputs, 512, batch_first=True)
    return nn.Conv1d(n_inputs, 512, kernel_size=3, padding=1)


class ReferenceNetwork(nn.Module):
    """The recipe's networks: "starter", and "full", which has a temporal convolution besides."""

    def __init__(self, kind, num_instruments, num_classes, *, recurrent=False):
        super().__init__()
        channels, embedding, width = _SIZES[kind]
        layers, pooled = [], channels[-1]
        for before, after in pairwise(channels):
            convolution = nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        if kind == "full":
            temporal = temporal_layer(8 * pooled, recurrent=recurrent)
            layers += [nn.AdaptiveAvgPool2d((8, None)), nn.Flatten(1, 2), temporal]
            pooled = 512
        pool = nn.AdaptiveAvgPool1d(1) if kind == "full" else nn.AdaptiveAvgPool2d(1)
        self.cnn = nn.Sequential(*layers, pool, nn.Flatten())
        self.instrument_embedding = nn.Embedding(num_instruments, embedding)
        first, last = nn.Linear(pooled + embedding, width), nn.Linear(width, num_classes)
        self.head = nn.Sequential(first, nn.ReLU(), nn.Dropout(0.3), last)

    def forward(self, spectrograms, instrument):
        """Compute logits."""
        x = self.cnn(spectrograms)
        return self.head(torch.cat([x, self.instrument_embedding(instrument)], dim=1))


def training_step(network, target):
    """Return the recipe's step: AdamW, one cycle, and cross-entropy weighted by class."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001)
    steps = -(-len(target) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.01, epochs=EPOCHS, steps_per_epoch=steps
    )
    weight = compute_class_weight("balanced", classes=np.unique(target), y=target)
    criterion = nn.CrossEntropyLoss(torch.as_tensor(weight, dtype=torch.float32))

    def step(spectrograms, instrument, target):
        network.train()
        loss = criterion(network(spectrograms, instrument), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    return step


@torch.no_grad()
def predict(network, waveforms, instrument):
    """Return the classes of a batch of notes, an ndarray of shape (n_notes,)."""
    network.eval()
    batch = pad([spectrogram(waveform) for waveform in waveforms])
    return network(batch, torch.as_tensor(instrument)).argmax(dim=1).numpy()
