"""What a classifier heard: displays in scikit-learn's style, reports and explanations."""

from sknote._lazy import lazy_names

# matplotlib is imported by what draws alone
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "HierarchicalConfusionDisplay": "._confusion",
        "HistoryDisplay": "._history",
        "NoteExplanation": "._explain",
        "ReliabilityDisplay": "._reliability",
        "RiskCoverageDisplay": "._risk_coverage",
        "ScoreBarsDisplay": "._score_bars",
        "SpectrogramDisplay": "._spectrogram_display",
        "explain_note": "._explain",
        "write_report": ".report",
    },
)
