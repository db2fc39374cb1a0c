"""A cache of answers: what a model said of a recording is not computed again."""

from sknote.deploy.answers._cached_classifier import CachedClassifier
from sknote.deploy.answers._digest import digest_of
from sknote.deploy.answers._store import AnswerStore, answer_key, as_probabilities

__all__ = ["AnswerStore", "CachedClassifier", "answer_key", "as_probabilities", "digest_of"]
