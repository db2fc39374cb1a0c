"""Data sets: synthetic notes, and loaders for recordings that are not shipped."""

from sknote._lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "fetch_good_sounds": "._good_sounds",
        "iter_notes": ".synthetic",
        "load_good_sounds": "._good_sounds",
        "load_notes": "._notes",
        "load_philharmonia": "._philharmonia",
        "make_notes": ".synthetic",
        "make_passage": ".synthetic",
    },
)
