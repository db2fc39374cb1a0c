"""scikit-learn transformers from recordings to features."""

from sknote.feature_extraction._audio_loader import AudioLoader
from sknote.feature_extraction._mfcc_summary import MFCCSummary
from sknote.feature_extraction._spectrogram import Spectrogram
from sknote.feature_extraction._waveform_augment import WaveformAugment
from sknote.feature_extraction.cache import FeatureCache

__all__ = ["AudioLoader", "FeatureCache", "MFCCSummary", "Spectrogram", "WaveformAugment"]
