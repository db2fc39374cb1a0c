"""scikit-learn's own checks of an estimator; what RandomizedSearchCV fails is expected to fail."""

import pytest
from optuna.distributions import FloatDistribution
from sklearn.base import is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknote.model_selection import OptunaSearch


def _search(estimator, name):
    space = {name: FloatDistribution(0.1, 1.0)}
    return OptunaSearch(estimator, space, n_trials=2, cv=2, error_score="raise", random_state=0)


@pytest.mark.filterwarnings("default")  # the checks make warnings on purpose
@parametrize_with_checks(
    [
        _search(Lasso(), "alpha"),
        _search(Pipeline([("pca", PCA()), ("classify", RidgeClassifier())]), "classify__alpha"),
    ],
    # As scikit-learn's own list says for RandomizedSearchCV.
    expected_failed_checks=lambda search: (
        {"check_supervised_y_2d": "DataConversionWarning not caught"}
        if is_regressor(search)
        else {}
    ),
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
