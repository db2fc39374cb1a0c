"""Scores and tables for labels with levels, for probabilities, and for each instrument and class.

What scikit-learn already has (accuracy, log loss, a confusion matrix) is not repeated here. Labels
are compared as text, without blanks around them; numbers that are equal are the same label.
"""

from sknote.metrics._calibration import expected_calibration_error
from sknote.metrics._comparisons import compare_models
from sknote.metrics._hierarchical import hierarchical_f1_score, hierarchical_precision_recall_fscore
from sknote.metrics._tables import class_report, instrument_report, level_scores

__all__ = [
    "class_report",
    "compare_models",
    "expected_calibration_error",
    "hierarchical_f1_score",
    "hierarchical_precision_recall_fscore",
    "instrument_report",
    "level_scores",
]
