"""Parameters that decide how something is computed and not what comes out, and failed changes."""

import contextlib

# Of any estimator. What differs in these alone is kept once in a cache of features.
HOW_NOT_WHAT = {"n_jobs", "n_threads", "verbose", "memory"}

# A search that is resumed may differ in more. They are not in the set above because a transformer
# of someone's own may mean something else by these names, and a cache that takes two settings for
# one gives wrong features without a word; a search that takes one for two only refuses to go on.
HOW_NOT_WHAT_IN_SEARCH = HOW_NOT_WHAT | {
    *("device", "cache_dir", "chunk_size", "verbosity", "callbacks")
}


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
