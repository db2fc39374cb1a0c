"""scikit-learn transformers from recordings to features."""

from sknote.feature_extraction._audio_loader import AudioLoader
from sknote.feature_extraction._cache import FeatureCache
from sknote.feature_extraction._mfcc_summary import MFCCSummary
from sknote.feature_extraction._spectrogram import Spectrogram
from sknote.feature_extraction._waveform_augment import WaveformAugment

__all__ = ["AudioLoader", "FeatureCache", "MFCCSummary", "Spectrogram", "WaveformAugment"]
