"""The reference recipe, written literally, to be timed beside sknote's pipeline.

The errors included, such as an average over the padding. None of it is for use; `benchmarks.models`
has its networks as sknote makes them, corrected.
"""

from itertools import pairwise

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional

SAMPLE_RATE = 22050  # in Hz
N_FFT, HOP_LENGTH = 512, 128  # in samples
EPOCHS, BATCH_SIZE, PREDICT_BATCH_SIZE = 30, 32, 64
SHORT_SECONDS, ATTACK_FRAMES = 0.5, 10

# Network → channels of its convolutions, size of the instrument's embedding, width of the head
_SIZES = {"full": ((1, 64, 128, 256), 64, 512), "starter": ((1, 64, 128), 32, 256)}


def load(path):
    """Decode a recording; returns a waveform of shape (n_samples,)."""
    return librosa.load(path, sr=SAMPLE_RATE)[0]


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
    longest = max(values.shape[-1] for values in spectrograms)
    return torch.stack([functional.pad(one, (0, longest - one.shape[-1])) for one in spectrograms])


class ReferenceNetwork(nn.Module):
    """The recipe's networks: "starter", and "full", which has a temporal convolution besides."""

    def __init__(self, kind, num_instruments, num_classes):
        super().__init__()
        channels, embedding, width = _SIZES[kind]
        layers = []
        for before, after in pairwise(channels):
            convolution = nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        self.has_time = kind == "full"
        self.cnn = nn.Sequential(*layers, nn.AdaptiveAvgPool2d((8, None) if self.has_time else 1))
        pooled = channels[-1]
        if self.has_time:
            self.temporal = nn.Conv1d(8 * pooled, 512, kernel_size=3, padding=1)
            pooled = 512
        self.instrument_embedding = nn.Embedding(num_instruments, embedding)
        first, last = nn.Linear(pooled + embedding, width), nn.Linear(width, num_classes)
        self.head = nn.Sequential(first, nn.ReLU(), nn.Dropout(0.3), last)

    def forward(self, spectrograms, instrument, *, first_frames=None):
        """Compute logits; the full network judges by `first_frames` alone, if they are given."""
        x = self.cnn(spectrograms)
        x = self.temporal(x[..., :first_frames].flatten(1, 2)).mean(2) if self.has_time else x
        return self.head(torch.cat([x.flatten(1), self.instrument_embedding(instrument)], dim=1))


class ReferenceTraining:
    """The recipe's training: AdamW, one cycle, and cross-entropy weighted by class."""

    def __init__(self, network, target):
        self.network = network
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=0.001)
        steps = -(-len(target) // BATCH_SIZE)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=0.01, epochs=EPOCHS, steps_per_epoch=steps
        )
        count = np.bincount(target)
        weight = torch.as_tensor(len(target) / (len(count) * count), dtype=torch.float32)
        self.criterion = nn.CrossEntropyLoss(weight=weight)

    def step(self, spectrograms, instrument, target):
        """Train on one batch; returns its loss."""
        self.network.train()
        loss = self.criterion(self.network(spectrograms, instrument), target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item()


@torch.no_grad()
def predict(network, waveform, instrument):
    """Return the class and the confidence of one note; a short one is judged by its attack."""
    network.eval()
    first_frames = ATTACK_FRAMES if len(waveform) / SAMPLE_RATE < SHORT_SECONDS else None
    batch = spectrogram(waveform)[None]
    logits = network(batch, torch.tensor([instrument]), first_frames=first_frames)
    confidence, predicted = torch.softmax(logits, dim=1).max(dim=1)
    return predicted.item(), confidence.item()


@torch.no_grad()
def predict_batch(network, waveforms, instrument):
    """Return the classes of several notes, in batches of 64 that are padded to the longest."""
    network.eval()
    found = []
    for start in range(0, len(waveforms), PREDICT_BATCH_SIZE):
        part = slice(start, start + PREDICT_BATCH_SIZE)
        batch = pad([spectrogram(waveform) for waveform in waveforms[part]])
        found.append(network(batch, torch.as_tensor(instrument[part])).argmax(dim=1))
    return torch.cat(found).numpy()
