"""EnsembleHead: many small classifiers that share their weights."""

import torch
from torch import nn
from torch.nn import functional

from sknote.nn.networks._checks import check_dropout, check_sizes


class EnsembleHead(nn.Module):
    """A parameter-efficient ensemble of two-layer perceptrons (TabM).

    All members share the weights of the two layers; each has scales of its own before and after
    them, and an output layer of its own. Members are trained independently on the same notes and
    averaged to predict, which on few and noisy labels is worth several points of accuracy over
    one perceptron, at little cost.

    Parameters
    ----------
    n_features : int
        Width of the input.
    n_classes : int
        Number of logits.
    n_members : int, default=8
        Number of perceptrons.
    width : int, default=384
        Width of the two hidden layers.
    dropout : float, default=0.2
        After each hidden layer; to the next 256th.

    References
    ----------
    Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025.
    """

    def __init__(self, n_features, n_classes, *, n_members=8, width=384, dropout=0.2):
        super().__init__()
        check_sizes("EnsembleHead", 1, n_members=n_members, width=width)
        check_dropout("EnsembleHead", dropout)
        # random signs in the first layer are what makes the members differ
        self.scale_in = nn.Parameter(torch.randn(n_members, n_features).sign())
        self.layer1 = nn.Linear(n_features, width, bias=False)
        self.scale1 = nn.Parameter(torch.ones(n_members, width))
        self.bias1 = nn.Parameter(torch.zeros(n_members, width))
        self.scale_middle = nn.Parameter(torch.ones(n_members, width))
        self.layer2 = nn.Linear(width, width, bias=False)
        self.scale2 = nn.Parameter(torch.ones(n_members, width))
        self.bias2 = nn.Parameter(torch.zeros(n_members, width))
        self.output_weight = nn.Parameter(torch.randn(n_members, width, n_classes) * width**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(n_members, n_classes))
        self.dropout = dropout

    def forward(self, x, generator=None):
        """Compute logits.

        Parameters
        ----------
        x : Tensor of shape (batch, n_features)
            What is known of each note.
        generator : torch.Generator or None, default=None
            Draws the dropout; None is torch's global generator.

        Returns
        -------
        Tensor of shape (batch, n_members, n_classes) or (batch, n_classes)
            Each member's logits in training; the logarithm of the members' mean probability
            otherwise.
        """
        kind = x.device.type
        if torch.is_autocast_enabled(kind):  # which leaves products with scales in float32
            x = x.to(torch.get_autocast_dtype(kind))
        x = x[:, None] * self.scale_in.to(x.dtype)
        x = self._drop(self._layer(x, self.layer1, self.scale1, self.bias1), generator)
        x = x * self.scale_middle.to(x.dtype)
        x = self._drop(self._layer(x, self.layer2, self.scale2, self.bias2), generator)
        logits = torch.bmm(x.transpose(0, 1), self.output_weight).transpose(0, 1) + self.output_bias
        if self.training:
            return logits
        return log_of_mean(logits.softmax(dim=2, dtype=_at_least_single(logits.dtype)), dim=1)

    @staticmethod
    def _layer(x, shared, scale, bias):
        x = shared(x)
        return torch.addcmul(bias.to(x.dtype), x, scale.to(x.dtype)).relu()

    def _drop(self, x, generator):
        if not self.training or self.dropout == 0.0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.dropout)
        # eight draws from each 64 random bits: several times as fast as torch's dropout
        dropped = min(255, max(1, round(256 * self.dropout)))
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64)
        draws = draws.random_(-(2**63), None, generator=generator).view(torch.int8)
        edge = dropped - 128  # of numbers from -128 to 127; to compare them would take longer
        kept = draws[: x.numel()].view(x.shape).clamp(edge - 1, edge).sub_(edge - 1)
        return x * kept.to(x.dtype).mul_(256 / (256 - dropped))


def log_of_mean(proba, dim):
    """Logarithm of mean probabilities; of 0, that of the smallest number above it."""
    return proba.mean(dim=dim).clamp_min(torch.finfo(proba.dtype).tiny).log()


def _at_least_single(dtype):
    return torch.promote_types(dtype, torch.float32)
