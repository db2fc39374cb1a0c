"""The torch side: front end, networks, batches and augmentation."""

from sknote.nn._analyzer import NoteAnalyzer
from sknote.nn._augment import SpectrogramAugment
from sknote.nn._batching import BatchLoader, NoteDataset, SummaryDataset, length_batches
from sknote.nn._callbacks import BestWeights, EpochProgress, EpochReport, OneCycle
from sknote.nn._compact import CompactNet
from sknote.nn._ensemble_head import EnsembleHead
from sknote.nn._frontend import SpectrogramFrontend, spectrograms
from sknote.nn._net import NoteNet, WeightedCrossEntropy, bfloat16_is_fast, make_net
from sknote.nn._notes import frame_statistics, merge_equal_notes, summarize_all
from sknote.nn._scales import mel_filterbank
from sknote.nn._starter import SimpleStarterModel
from sknote.nn._summary import summarize_notes
from sknote.nn._threads import in_threads, torch_threads

__all__ = [
    "BatchLoader",
    "BestWeights",
    "CompactNet",
    "EnsembleHead",
    "EpochProgress",
    "EpochReport",
    "NoteAnalyzer",
    "NoteDataset",
    "NoteNet",
    "OneCycle",
    "SimpleStarterModel",
    "SpectrogramAugment",
    "SpectrogramFrontend",
    "SummaryDataset",
    "WeightedCrossEntropy",
    "bfloat16_is_fast",
    "frame_statistics",
    "in_threads",
    "length_batches",
    "make_net",
    "mel_filterbank",
    "merge_equal_notes",
    "spectrograms",
    "summarize_all",
    "summarize_notes",
    "torch_threads",
]
