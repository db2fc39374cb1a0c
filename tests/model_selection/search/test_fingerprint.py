"""Tests of what a study keeps of its estimator and its X, by which it is recognized."""

import copy
import functools
import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sknote.model_selection import OptunaSearch
from sknote.model_selection.search._fingerprint import describe_estimator, digest_data
from sknote.model_selection.search._study import _INFO

X, Y = make_classification(60, 5, flip_y=0.2, random_state=0)


@pytest.mark.parametrize("named", [True, False], ids=["dict", "define-by-run"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classify": SGDClassifier()}, r"then {'classify': '\S*RidgeClassifier', 'steps'.*, now"),
        ({"classify__tol": 0.1}, r"then {'classify__tol': '0.0001'}, now {'classify__tol': '0.1'}"),
        ({"classify__class_weight": {0: 2, 1: 1}}, r"now {'classify__class_weight': '{0: 2, 1: 1}"),
        ({"scale": None}, r"now {'scale': 'None', 'steps'"),
    ],
)
def test_study_of_another_estimator_is_refused(tmp_path, named, change, message):
    space = {"classify__alpha": [1, 2, 3]}
    made = OptunaSearch(
        Pipeline([("scale", StandardScaler()), ("classify", RidgeClassifier())]),
        space if named else lambda trial: {"classify__alpha": trial.suggest_int("alpha", 1, 3)},
        n_trials=2, storage=tmp_path / "journal", study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    with pytest.raises(ValueError, match=f"(?s)parameters of it.*{message}.*Choose another"):
        made.set_params(**{f"estimator__{name}": value for name, value in change.items()}).fit(X, Y)
    assert len(made.study_.trials) == 2


def test_study_of_another_class_is_refused(tmp_path):
    made = OptunaSearch(
        LogisticRegression(), {"C": [1, 2]}, n_trials=2, storage=tmp_path / "journal",
        study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    with pytest.raises(ValueError, match=r"then {'class': '\S*LogisticRegression'}, now .*SVC'}"):
        made.set_params(estimator=SVC()).fit(X, Y)


def test_study_is_resumed_whatever_does_not_change_its_scores(tmp_path):
    made = OptunaSearch(
        Pipeline([("scale", StandardScaler()), ("classify", SGDClassifier())]),
        {"classify__alpha": [0.1, 1.0]}, n_trials=2, storage=tmp_path / "journal",
        study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    made.set_params(
        estimator__classify__n_jobs=2, estimator__classify__verbose=0, estimator__verbose=True,
        estimator__classify__alpha=7.0, estimator__memory=str(tmp_path / "memory"), refit=False,
    ).fit(X.copy(), Y)  # fmt: skip
    assert len(made.study_.trials) == 2


@pytest.mark.parametrize(
    ("x", "other"),
    [
        (X, X[:, ::-1]),
        (X, X.astype("float32")),
        (pd.DataFrame(X), pd.DataFrame(X + 1)),
        (X.tolist(), (2 * X).tolist()),
    ],
    ids=["array", "type", "DataFrame", "list"],
)
def test_study_of_another_x_is_refused(tmp_path, x, other):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, storage=tmp_path / "journal",
        study_name="one", resume=True,
    ).fit(x, Y)  # fmt: skip
    with pytest.raises(ValueError, match=r"was made with another X.*paths must be the same"):
        made.fit(other, Y)
    assert len(made.fit(copy.deepcopy(x), Y).study_.trials) == 2


def test_study_that_does_not_tell_its_estimator_is_resumed(tmp_path):
    made = OptunaSearch(
        RidgeClassifier(), {"alpha": [1, 2, 3]}, n_trials=2, storage=tmp_path / "journal",
        study_name="one", resume=True,
    ).fit(X, Y)  # fmt: skip
    info = made.study_.user_attrs[_INFO]
    made.study_.set_user_attr(_INFO, {k: info[k] for k in ("space", "metrics", "folds", "seed")})
    made.set_params(estimator__tol=0.1, n_trials=3).fit(X, Y)
    assert len(made.study_.trials) == 3


class Holder(BaseEstimator):
    """Holds any value, and estimators that ``get_params`` does not list."""

    def __init__(self, value=None):
        self.value = value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ("1", 1),
        (None, "None"),
        ([1, [2, 3]], [1, [2, 4]]),
        ({"a": [1]}, {"a": [2]}),
        ({"a", "b"}, {"a", "c"}),
        (np.arange(5000), np.arange(5000)[::-1]),
        (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object)),
        (np.log1p, np.log),
        (functools.partial(np.clip, a_min=0), functools.partial(np.clip, a_min=1)),
        (SVC, LogisticRegression),
        (SVC(), SVC(C=2)),
        ([("a", SVC())], [("a", SVC(C=2))]),
        (KFold(3), KFold(4)),
        ("x" * 500, "x" * 501),
    ],
)
def test_values_are_told_apart(one, other):
    a, b, again = (describe_estimator(Holder(v), {}) for v in (one, other, copy.deepcopy(one)))
    assert a != b
    assert a == again
    assert json.loads(json.dumps(a)) == a


def test_what_is_tuned_is_not_described():
    space = {"steps__value": optuna.distributions.FloatDistribution(0, 1)}
    nested = [Pipeline([("steps", Holder(value))]) for value in (1, 2)]
    assert describe_estimator(nested[0], space) == describe_estimator(nested[1], space)
    assert describe_estimator(nested[0], {}) != describe_estimator(nested[1], {})


def test_order_of_steps_is_described():
    a, b = ("a", SVC()), ("b", SVC())
    one, other = (describe_estimator(VotingClassifier(pair), {}) for pair in ([a, b], [b, a]))
    assert one != other


DESCRIBE = """
    import json, sys
    import numpy as np
    from sklearn.ensemble import BaggingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import SVC
    from sknote.model_selection.search._fingerprint import describe_estimator, digest_data
    estimator = Pipeline([
        ("f", FunctionTransformer(lambda X: X, kw_args={"b": {"x", "y", "z"}, "a": object()})),
        ("c", BaggingClassifier(SVC(), random_state=np.random.RandomState(0))),
    ])
    print(json.dumps(describe_estimator(estimator, {})))
    print(digest_data([np.arange(5000.0), "a", None, b"abc"]))
"""


def test_description_is_the_same_in_every_process():
    code = textwrap.dedent(DESCRIBE)
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert "0x" not in printed.pop()


WAVES = [np.sin(np.arange(n) / 9) for n in (3000, 5000, 4000)]
TABLE = pd.DataFrame(
    {"audio": pd.Series(WAVES, dtype=object), "instrument": ["oboe", None, "bass"]}
)


@pytest.mark.parametrize(
    ("x", "other"),
    [
        (WAVES, WAVES[::-1]),
        (WAVES, [WAVES[0], WAVES[1], WAVES[2] * 1.001]),
        (WAVES, [wave.astype("float32") for wave in WAVES]),
        (TABLE, TABLE[["audio"]]),
        (TABLE, TABLE.assign(instrument="oboe")),
        (TABLE, TABLE.assign(audio=TABLE.audio.to_numpy()[::-1])),
        (TABLE.assign(audio=["a.wav", "b.wav", "c.wav"]), TABLE.assign(audio=["a.wav"] * 3)),
        ([Path("a.wav"), b"RIFF"], [Path("a.wav"), b"RIFX"]),
        (np.arange(9000), np.arange(9000) // 2),
        (np.arange(9000.0).reshape(3, 3000), np.arange(9000.0).reshape(9, 1000)),
        (np.zeros((3, 4, 5)), np.ones((3, 4, 5))),
        (csr_array(np.eye(3)), csr_array(np.ones((3, 3)))),
    ],
)
def test_data_are_told_apart(x, other):
    assert digest_data(x) == digest_data(copy.deepcopy(x)) is not None
    assert digest_data(x) != digest_data(other)


def test_path_is_the_same_however_it_is_given():
    paths = ["a/b.wav", "c.wav"]
    forms = [paths, [Path(p) for p in paths], np.array(paths), np.array(paths, dtype=object)]
    forms += [list(np.array(paths)), pd.Series(list(np.array(paths)), dtype=object)]
    assert len({digest_data(form) for form in forms}) == 1


def test_open_files_have_no_digest():
    assert digest_data([io.BytesIO(b"RIFF")]) is None
