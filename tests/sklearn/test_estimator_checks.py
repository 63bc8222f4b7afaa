"""The estimators pass the checks of scikit-learn."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinytorch_sklearn import Classifier, Regressor


# The checks take 15 s, so they run only together with the comparisons.
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Classifier(), Regressor()])
def test_the_checks_of_scikit_learn_pass(estimator, check):
    check(estimator)
