"""LabelHierarchy: the levels of labels, read, ordered and rolled up."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sknote._lazy import find
from sknote.exceptions import LabelParseWarning
from sknote.labels._checks import (
    as_label_array,
    check_normalized,
    check_params,
    check_proba,
    find_level,
)
from sknote.labels._levels import UNSPECIFIED, map_labels, sum_columns, top_down


class LabelHierarchy(BaseEstimator):
    """The levels of a set of labels, e.g. quality, aspect and specific of ``bad-attack-tongue``.

    A label is split at `separator` into one value per level; the last level takes all that is
    left. A level that a label does not state has the value ``"unspecified"``.

    Levels are nested or parallel, and a level can be asked for in two ways. As a *path* a value
    includes the levels before it (``bad-attack``); *alone* it does not (``attack``, good or bad).
    Nested levels (the default) form a tree and are rolled up to paths. Parallel levels, such as
    articulation and dynamic, say independent things and are rolled up to values alone.

    Parameters
    ----------
    separator : str, default="-"
        What stands between two levels.
    level_names : sequence of str, default=("quality", "aspect", "specific")
        The levels, from the coarsest to the finest.
    compounds : sequence of str, default=()
        Values that contain the separator and yet are one, e.g. ``"pitch-stability"``.
    orders : dict of str to sequence of str, default=None
        For levels whose values have a natural order: the values from low to high.
    parallel : bool, default=False
        True if the levels say independent things, so that none lies under another.
    normalize : dict of str to str, callable or None, default=None
        Spelling rules that are applied to every label first: a label for each label that is to be
        replaced, or a function of a label that returns the normalized one, what was done to it in
        words, and whether that is doubtful. Blanks around a label never count.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The normalized labels, sorted as scikit-learn sorts them.
    levels_ : dict of str to ndarray
        The values of each level alone, in natural order (`orders` first, then by alphabet, then
        ``"unspecified"``): the order to plot them in.
    table_ : DataFrame
        One row per label seen, with the columns ``original``, ``normalized``, one for each level,
        ``note`` (what was done to it) and ``count``; the most frequent first.

    See Also
    --------
    sknote.metrics.hierarchical_precision_recall_fscore : A score that knows the levels.

    Examples
    --------
    >>> from sknote import LabelHierarchy
    >>> hierarchy = LabelHierarchy.good_sounds()
    >>> hierarchy.parse("bad-stability-timbre")
    {'quality': 'bad', 'aspect': 'timbre-stability', 'specific': 'unspecified'}
    >>> y = ["good-sound", "bad-attack-air", "bad-attack", "air-outside"]
    >>> hierarchy.roll_up(y, "aspect").tolist()
    ['good-sound', 'bad-attack', 'bad-attack', 'unspecified-air']
    >>> hierarchy.roll_up(y, "aspect", alone=True).tolist()
    ['sound', 'attack', 'attack', 'air']
    >>> hierarchy.fit(y).levels_["quality"].tolist()
    ['bad', 'good', 'unspecified']

    A level that does not exist is refused:

    >>> hierarchy.roll_up(y, "qualty")
    Traceback (most recent call last):
        ...
    ValueError: LabelHierarchy: unknown level 'qualty'. Expected one of ['quality', 'aspect', \
'specific']. Did you mean 'quality'?
    """

    def __init__(
        self,
        separator="-",
        level_names=("quality", "aspect", "specific"),
        *,
        compounds=(),
        orders=None,
        parallel=False,
        normalize=None,
    ):
        self.separator = separator
        self.level_names = level_names
        self.compounds = compounds
        self.orders = orders
        self.parallel = parallel
        self.normalize = normalize

    # A data set keeps the parameters of its hierarchy; they are fetched when they are asked for.

    @classmethod
    def good_sounds(cls):
        """Return the hierarchy of the good-sounds data set: quality, aspect, specific."""
        return cls(**find("sknote.datasets._good_sounds_labels.HIERARCHY"))

    @classmethod
    def philharmonia(cls):
        """Return the hierarchy of labels such as ``arco-normal/forte``: two parallel levels."""
        return cls(**find("sknote.datasets._philharmonia.HIERARCHY"))

    def fit(self, labels):
        """Learn which labels and which values of each level there are.

        Parameters
        ----------
        labels : array-like of str of shape (n_samples,)
            Labels. An empty one states nothing.

        Returns
        -------
        LabelHierarchy
            The hierarchy itself.

        Raises
        ------
        ValueError
            If a parameter has no meaning; or if a label is missing (None, NaN) or bytes, which all
            methods refuse.

        Warns
        -----
        LabelParseWarning
            If a label fits none of the spelling rules and was taken as it stands.
        """
        import pandas as pd

        check_params(self)
        originals, counts = np.unique(as_label_array(labels), return_counts=True)
        if len(originals) == 0:
            raise ValueError("LabelHierarchy: expected at least 1 label, got none.")
        normalized, notes, doubtful = zip(*map(self._normalize, originals))
        if any(doubtful):
            names = [str(original) for original, doubt in zip(originals, doubtful) if doubt]
            warnings.warn(
                f"LabelHierarchy: no spelling rule knows {names}; they were taken as they stand. "
                "See `table_` for what they became; if that is wrong, rename them in the data.",
                LabelParseWarning,
                stacklevel=2,
            )
        values = np.array([self._values(label) for label in originals.tolist()])
        table = {"original": originals, "normalized": normalized}
        table |= {name: values[:, i] for i, name in enumerate(self.level_names)}
        table |= {"note": notes, "count": counts}
        self.table_ = pd.DataFrame(table).sort_values(
            "count", ascending=False, kind="stable", ignore_index=True
        )
        self.classes_ = np.unique(normalized)
        self.levels_ = {
            name: np.array(sorted(set(values[:, i].tolist()), key=self._natural_key(name)))
            for i, name in enumerate(self.level_names)
        }
        return self

    def transform(self, labels):
        """Spell labels in the one normalized way.

        Parameters
        ----------
        labels : array-like of str of shape (n_samples,)
            Labels, seen in `fit` or not.

        Returns
        -------
        ndarray of str of shape (n_samples,)
            The normalized labels.
        """
        check_params(self)
        return map_labels(lambda label: self._normalize(label)[0], labels)

    def parse(self, label):
        """Split one label into its levels.

        Parameters
        ----------
        label : str
            A label; it is normalized first.

        Returns
        -------
        dict of str to str
            The value of each level alone, ``"unspecified"`` where the label states none.
        """
        check_params(self)
        return dict(zip(self.level_names, self._values(as_label_array([label])[0])))

    def roll_up(self, labels, level, *, alone=None):
        """Reduce labels to one level.

        Parameters
        ----------
        labels : array-like of str of shape (n_samples,)
            Labels; they are normalized first.
        level : str
            One of `level_names`.
        alone : bool, default=None
            True for the value of the level alone, False for its path. A path ends early where a
            label states no more. None stands for alone if the levels are parallel, else path.

        Returns
        -------
        ndarray of str of shape (n_samples,)
            The level's value, or path, of each label.
        """
        check_params(self)
        depth = find_level(self.level_names, level)
        alone = self.parallel if alone is None else alone
        if alone:
            return map_labels(lambda label: self._values(label)[depth], labels)
        return map_labels(lambda label: self._join(self._values(label)[: depth + 1]), labels)

    def roll_up_proba(self, proba, classes, level, *, alone=None):
        """Add up the probabilities of the labels that share a value of a level.

        Parameters
        ----------
        proba : array-like of shape (n_samples, n_classes)
            Probability of each class; every row keeps its sum.
        classes : array-like of str of shape (n_classes,)
            The labels of the columns, e.g. ``classifier.classes_``.
        level, alone : str, bool
            As in `roll_up`.

        Returns
        -------
        proba_level : ndarray of shape (n_samples, n_values)
            Probability of each value of the level.
        classes_level : ndarray of str of shape (n_values,)
            The values, sorted as scikit-learn sorts classes.

        Raises
        ------
        ValueError
            If a class is named twice, the columns of a DataFrame are named as classes in another
            order, or `proba` are no probabilities of them.
        """
        proba, classes = check_proba(proba, classes)
        return sum_columns(proba, self.roll_up(classes, level, alone=alone))

    def decode(self, proba, classes, level=None, *, alone=None, method="leaf"):
        """Answer with one class per sample, or with its value at a level.

        The answer at a level is always that of the answered class, so that answers at different
        levels never contradict each other. The most probable class need not lie in the most
        probable branch: with ``good-sound`` .4, ``bad-attack`` .3, ``bad-air`` .3 the class is
        good and yet the note is probably bad. `method` says who wins.

        Parameters
        ----------
        proba, classes : array-like
            As in `roll_up_proba`.
        level : str, default=None
            One of `level_names`; None for the class itself.
        alone : bool, default=None
            As in `roll_up`.
        method : {"leaf", "top_down"}, default="leaf"
            "leaf": the most probable class, as `predict` of any classifier answers (``good-sound``
            above): the most often right at the class. "top_down": the most probable value of the
            first level, then of the second within it, and so on (``bad-attack`` above): the most
            often right at the first level.

        Returns
        -------
        ndarray of shape (n_samples,)
            Members of `classes`, or values of the level.
        """
        proba, names = check_proba(proba, classes)
        if method not in ("leaf", "top_down"):
            raise ValueError(
                f"LabelHierarchy: `method` must be 'leaf' or 'top_down'. Got {method!r} instead."
            )
        if method == "leaf":
            index = proba.argmax(axis=1)
        else:
            index = top_down(
                proba, [self.roll_up(names, name, alone=False) for name in self.level_names]
            )
        answers = np.asarray(classes)[index]
        return answers if level is None else self.roll_up(answers, level, alone=alone)

    def sort(self, labels):
        """Sort labels by the natural order of their levels, the coarsest first, e.g. for a plot.

        Parameters
        ----------
        labels : array-like of str of shape (n_labels,)
            Labels, seen in `fit` or not.

        Returns
        -------
        ndarray of str of shape (n_labels,)
            The same labels in order.
        """
        check_params(self)
        keys = [self._natural_key(name) for name in self.level_names]
        return np.array(
            sorted(
                as_label_array(labels).tolist(),
                key=lambda label: [key(v) for key, v in zip(keys, self._values(label))],
            ),
            dtype=str,
        )

    def ancestors(self, label):
        """Name the nodes above a label, and itself as the last.

        Nested levels: its path at every level that it states. Parallel levels: each value on its
        own, written as a label that states nothing else, and then the label.

        Parameters
        ----------
        label : str
            A label; it is normalized first.

        Returns
        -------
        list of str
            From the coarsest node to the label itself.

        Examples
        --------
        >>> from sknote import LabelHierarchy
        >>> LabelHierarchy().ancestors("bad-attack-tongue")
        ['bad', 'bad-attack', 'bad-attack-tongue']
        >>> LabelHierarchy.philharmonia().ancestors("staccato/forte")
        ['staccato', 'unspecified/forte', 'staccato/forte']
        """
        check_params(self)
        values = self._values(as_label_array([label])[0])
        if self.parallel:
            nodes = [
                self._join((UNSPECIFIED,) * i + (value,))
                for i, value in enumerate(values)
                if value != UNSPECIFIED
            ]
        else:
            nodes = [self._join(values[: i + 1]) for i in range(len(values))]
        return list(dict.fromkeys([*nodes, self._join(values)]))

    def ancestor_matrix(self, classes=None):
        """Tell which nodes each class consists of: itself and all above it.

        Parameters
        ----------
        classes : array-like of str of shape (n_classes,), default=None
            By default `classes_`.

        Returns
        -------
        matrix : bool ndarray of shape (n_classes, n_nodes)
            True where the class has the node.
        nodes : ndarray of str of shape (n_nodes,)
            All nodes, sorted.
        """
        if classes is None:
            check_is_fitted(self)
            classes = self.classes_
        sets = [self.ancestors(label) for label in as_label_array(classes)]
        nodes = np.unique([node for nodes in sets for node in nodes])
        return np.array([np.isin(nodes, own) for own in sets]).reshape(-1, len(nodes)), nodes

    def distance_matrix(self, classes=None):
        """Count the nodes that one of two classes has and the other has not.

        In a tree (nested levels) this is the number of steps from one class to the other. It is a
        metric, and with a division by its maximum fit for a loss that forgives near misses.

        Parameters
        ----------
        classes : array-like of str of shape (n_classes,), default=None
            By default `classes_`.

        Returns
        -------
        int ndarray of shape (n_classes, n_classes)
            Symmetric, with zeros on the diagonal.

        Examples
        --------
        >>> from sknote import LabelHierarchy
        >>> LabelHierarchy().distance_matrix(["bad-attack-air", "bad-attack-gallo", "good-sound"])
        array([[0, 2, 5],
               [2, 0, 5],
               [5, 5, 0]])
        """
        matrix = self.ancestor_matrix(classes)[0].astype(int)
        size = matrix.sum(axis=1)
        return size[:, None] + size - 2 * matrix @ matrix.T

    def __sklearn_tags__(self):
        # As LabelEncoder: it is fitted on labels, not on a table of features.
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.one_d_labels = True
        return tags

    def _normalize(self, label):
        """Return the normalized label, what was done to it, and whether that is doubtful."""
        if callable(self.normalize):
            return check_normalized(self.normalize(label), label)
        if self.normalize and label in self.normalize:
            return check_normalized((self.normalize[label], "replaced", False), label)
        return label, "as spelled", False

    def _values(self, label):
        """Return the value of each level alone; of the compounds, the longest that fits counts."""
        rest, separator = self._normalize(label)[0], self.separator
        values = []
        for _ in range(len(self.level_names) - 1):
            fitting = [c for c in self.compounds if (rest + separator).startswith(c + separator)]
            value = max(fitting, key=len) if fitting else rest.partition(separator)[0]
            values.append(value)
            rest = rest[len(value) + len(separator) :]
        return tuple(value.strip() or UNSPECIFIED for value in [*values, rest])

    def _join(self, values):
        """Write values as a label that ends with the last value stated."""
        values = list(values)
        while len(values) > 1 and values[-1] == UNSPECIFIED:
            values.pop()
        return self.separator.join(values)

    def _natural_key(self, level):
        """Make a sorting key: values in the level's order, then by alphabet, then "unspecified"."""
        order = list((self.orders or {}).get(level, ()))

        def key(value):
            return value == UNSPECIFIED, order.index(value) if value in order else len(order), value

        return key
