"""Answers that are kept from one command to the next, in a file."""

import itertools

import numpy as np

from sknote._input.content import is_same, mark
from sknote.deploy.answers import AnswerStore, answer_key, as_probabilities, digest_of

_IN_MEMORY = 1 << 22  # bytes
_ON_DISK = 1 << 28
_AT_ONCE = 64  # recordings that are looked for together


class KnownAnswers:
    """What a model said of recordings: those in a file of `CachedClassifier`, in any order.

    A recording about which there is something to say is not among them, so that it is said again.
    """

    def __init__(self, path, judge):
        self._digest, self._n_classes = digest_of(judge.model), len(judge.classes)
        self._store = AnswerStore(path, _IN_MEMORY, _ON_DISK)
        self.close = self._store.close

    def find(self, recordings):
        """Yield recordings in their order: with an answer if it is known, else with its key."""
        recordings = iter(recordings)
        while some := list(itertools.islice(recordings, _AT_ONCE)):
            marks = [(None,) if one.error else mark(one.name) for one in some]
            keys = [
                None  # whoever reads it says why
                if marked[0] is None
                else answer_key(self._digest, marked[0], {"instrument": one.instrument})
                for one, marked in zip(some, marks)
            ]
            rows = self._store.get([key for key in keys if key is not None], self._n_classes)
            for one, marked, key in zip(some, marks, keys):
                if key is not None:
                    row = rows.get(key)
                    answer = None if row is None else as_probabilities(row[None])[0]
                    one = one._replace(answer=answer, key=(key, marked))
                yield one

    def keep(self, recordings, found):
        """Keep what was found now, by the ids of recordings; return it as it will be next time."""
        rows = {
            one: answer if isinstance(answer, str) else np.asarray(answer, np.float32)
            for one, answer in found.items()
        }
        self._store.put(
            {
                one.key[0]: rows[id(one)]
                for one in recordings
                if one.key and not one.remarks and not isinstance(rows[id(one)], str)
                if is_same(one.name, one.key[1])
            }
        )
        return {
            one: row if isinstance(row, str) else as_probabilities(row[None])[0]
            for one, row in rows.items()
        }
