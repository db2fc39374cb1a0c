"""Parameters that decide how something is computed, not what comes out; cores; failed changes."""

import contextlib
import os

# Of any estimator. What differs in these alone is kept once in a cache of features.
HOW_NOT_WHAT = {"n_jobs", "n_threads", "verbose", "memory"}

# A search that is resumed may differ in more. They are not in the set above because a transformer
# of someone's own may mean something else by these names, and a cache that takes two settings for
# one gives wrong features without a word; a search that takes one for two only refuses to go on.
HOW_NOT_WHAT_IN_SEARCH = HOW_NOT_WHAT | {
    *("device", "cache_dir", "chunk_size", "verbosity", "callbacks")
}


def n_cores():
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def unchanged_on_error(estimator):
    """Give an estimator its attributes back, if what is done inside fails or is broken off."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
