"""Features that are kept on disk."""

from sknote.feature_extraction.cache._feature_cache import FeatureCache

__all__ = ["FeatureCache"]
