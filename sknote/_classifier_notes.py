"""From the rows that NoteClassifier is given to the data sets that its net takes."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from sknote._validation import check_groups
from sknote.model_selection import grouped_validation_split
from sknote.nn import (
    CompactNet,
    NoteAnalyzer,
    NoteDataset,
    SimpleStarterModel,
    SummaryDataset,
    frame_statistics,
    merge_equal_notes,
    summarize_all,
)

MODULES = {"compact": CompactNet, "analyzer": NoteAnalyzer, "starter": SimpleStarterModel}


class NotesMixin:
    """The part of NoteClassifier that prepares notes, in `fit` as in `predict`."""

    def _check_classes(self, y, known):
        check_classification_targets(y)
        classes = np.unique(y)
        if known is None:
            if len(classes) < 2:
                raise ValueError(
                    f"NoteClassifier: expected labels of at least 2 classes, got 1 class: "
                    f"{classes.tolist()[0]!r}."
                )
            return classes
        if len(new := np.setdiff1d(classes, known)):
            raise ValueError(
                f"NoteClassifier: training goes on with the classes of the first call, and y has "
                f"new ones: {new.tolist()}. Fit a new classifier, or pass all classes to the "
                f"first partial_fit."
            )
        return np.asarray(known)

    def _prepare(self, items, instrument, y, sample_weight, groups, classes, go_on):
        """Check the rest of the input and merge equal notes; return a dict of columns."""
        self._check_bins(items, items[0].shape[1])
        weight = _check_sample_weight(
            sample_weight, items, dtype=np.float64, ensure_non_negative=True
        )
        groups = check_groups(groups, len(items), "NoteClassifier")
        target = np.searchsorted(classes, y)
        notes = merge_equal_notes(items, instrument, target, weight, groups)
        is_first = not go_on and len(classes) == len(np.unique(y))
        if is_first and len(np.unique(notes["target"])) < 2:
            raise ValueError(
                "NoteClassifier: expected notes of at least 2 classes with a weight above 0, "
                "got 1 class."
            )
        return notes

    def _summarized(self, notes, dtype, n_threads):
        """Add the notes' lengths, and put summaries in place of spectrograms if the network does.

        It is the same in fit and in predict.
        """
        items = notes["items"]
        notes = notes | {"lengths": np.array([len(item) for item in items], dtype=np.int64)}
        if (summarize := getattr(self.module_class_, "summarize", None)) is not None:
            notes["items"] = summarize_all(
                summarize, items, self.frame_rate_, dtype=dtype, n_threads=n_threads
            )
        return notes

    def _statistics(self, notes):
        if isinstance(notes["items"], list):
            return frame_statistics(notes["items"], notes["weight"])
        # all bins alike: what looks alike at every pitch must not be scaled by pitch
        spectra = notes["items"]["spectrogram"].transpose(0, 2, 1)
        mean, scale = frame_statistics(spectra, notes["weight"])
        return mean[:, None], scale[:, None]

    def _split(self, notes, seed):
        """Return the training notes and, if there is to be one, the validation part."""
        if self.validation_fraction is None:
            return self._training_part(notes, slice(None)), None
        train, valid = grouped_validation_split(
            notes["target"], notes["groups"], fraction=self.validation_fraction, random_state=seed
        )
        return self._training_part(notes, train), self._training_part(notes, valid)

    def _training_part(self, notes, rows):
        items = notes["items"]
        if isinstance(items, dict):
            items = {name: values[rows] for name, values in items.items()}
        elif not isinstance(rows, slice):
            items = [items[row] for row in rows]
        part = {"items": items, "lengths": notes["lengths"][rows]}
        weight = notes["weight"][rows]
        return self._dataset(
            part,
            self._encode_instrument(notes["instrument"][rows], len(weight)),
            target=notes["target"][rows],
            weight=weight * (len(weight) / weight.sum()),
        )

    def _dataset(self, notes, instrument, **more):
        more |= {"mean": self.mean_, "scale": self.scale_}
        if isinstance(notes["items"], list):
            return NoteDataset(notes["items"], instrument, **more)
        module = self.module_class_
        slopes = getattr(module, "level_slopes", None)
        if slopes is not None and "target" in more:  # to vary the level in training
            more["level_slopes"] = slopes(self.n_bins_)
        return SummaryDataset(
            notes["items"], notes["lengths"], instrument, level_rows=module.level_rows, **more
        )

    def _encode_instrument(self, instrument, n_notes):
        """Return indices: 0 for an unknown instrument, 1 and up for those seen in `fit`."""
        if instrument is None:
            return np.zeros(n_notes, dtype=np.int64)
        index = {name: i for i, name in enumerate(self.instruments_, start=1)}
        return np.array([index.get(name, 0) for name in instrument], dtype=np.int64)

    def _check_bins(self, items, n_bins):
        for row, item in enumerate(items):
            if item.shape[0] == 0 or item.shape[1] != n_bins:
                raise ValueError(
                    f"NoteClassifier: expected spectrograms of at least 1 frame and of {n_bins} "
                    f"bins, got shape {item.shape} in row {row}."
                )
