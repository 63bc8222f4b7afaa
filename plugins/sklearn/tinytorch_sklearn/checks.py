"""Checks of data and of the parameters of estimators."""

from __future__ import annotations

import math
import warnings
from typing import Any

from sklearn.utils import validation

from tinytorch_modules import arguments

Array = Any


def validated(estimator: Any, *data: Any, **options: Any) -> Any:
    """Return `X`, or `X` and `y`, checked as scikit-learn's own estimators check them."""
    # New in scikit-learn 1.6; a method before.
    function = getattr(validation, "validate_data", None)
    if function is None:
        return estimator._validate_data(*data, **options)
    return function(estimator, *data, **options)


def check_parameters(estimator: Any) -> None:
    """Check the numbers among the parameters of an estimator.

    Raises:
        TypeError, ValueError: a parameter has the wrong type or is out of range.
    """
    owner = type(estimator).__name__
    for name in ("max_iter", "n_iter_no_change"):
        arguments.integer(owner, name, getattr(estimator, name))
    for name in ("alpha", "tol"):
        arguments.number(owner, name, getattr(estimator, name), 0, math.inf, ends="[)")
    if estimator.early_stopping:
        fraction = estimator.validation_fraction
        arguments.number(owner, "validation_fraction", fraction, 0, 1, ends="()")


def batch_size_for(estimator: Any, examples: int) -> int:
    """Return the number of examples in a batch.

    Raises:
        TypeError, ValueError: `batch_size` is neither "auto" nor a positive integer.

    Warns:
        UserWarning: it is larger than the number of examples.
    """
    if isinstance(estimator.batch_size, str) and estimator.batch_size == "auto":
        return min(200, examples)
    owner = type(estimator).__name__
    size = arguments.integer(owner, "batch_size", estimator.batch_size)
    if size > examples:
        warnings.warn(
            f"batch_size={size} of {owner} is larger than the number of examples, {examples}, "
            "so each batch contains all of them",
            stacklevel=5,  # the line that calls fit() or partial_fit()
        )
    return min(size, examples)
