"""The estimators pass the checks of scikit-learn."""

import contextlib
import unittest

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinytorch_sklearn import Classifier, Regressor


# The checks take 15 s, so they run only together with the comparisons.
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Classifier(), Regressor()])
def test_the_checks_of_scikit_learn_pass(estimator, check):
    # A check of the array API skips itself unless SCIPY_ARRAY_API is set.
    with contextlib.suppress(unittest.SkipTest):
        check(estimator)
