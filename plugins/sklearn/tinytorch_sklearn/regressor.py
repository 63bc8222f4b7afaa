"""Regressor, a network that predicts one or several numbers for each example."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d

from tinytorch_losses import MSELoss
from tinytorch_sklearn.estimator import Array, Estimator


class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A regressor for scikit-learn: a perceptron like MLPRegressor, or a network of your own.

    Parameters and attributes are those of `Classifier`, except for `class_weight` and `classes_`.
    The default of `loss` is MSELoss, twice the loss of MLPRegressor, so that the same `alpha` has
    half the effect. The network must return an array of shape (examples, targets), also for a
    single target.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = Regressor(learning_rate_init=0.02, random_state=0).fit(X, np.sin(3 * X[:, 0]))
    >>> model.score(X, np.sin(3 * X[:, 0])) > 0.95
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Train the network.

        Args:
            X: inputs of shape (examples, features).
            y: numbers of shape (examples,) or (examples, targets).
            sample_weight: the weight of each example in the loss, or None.

        Raises:
            ValueError: a weight is negative, or all are 0.
        """
        return self._fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Train for one epoch, after earlier calls.

        Args:
            X, y, sample_weight: as for `fit`.

        Raises:
            ValueError: `y` has another number of targets than in earlier calls.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, of the shape of `y` in `fit`."""
        outputs = self._outputs_for(X)
        return outputs[:, 0] if self._is_flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn 1.5
        return {"multioutput": True}

    def _checked(self, X: Any, y: Any, first: bool, partial: bool) -> tuple[Array, Array]:
        X, y = self._inputs(X, reset=first, y=y, multi_output=True, y_numeric=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        is_flat, count = y.ndim == 1, 1 if y.ndim == 1 else y.shape[1]
        if first:
            self._is_flat, self._target_count = is_flat, count
        elif (is_flat, count) != (self._is_flat, self._target_count):
            raise ValueError(
                f"y has {count} targets, but had {self._target_count} in the first call"
            )
        return X, y.reshape(len(y), count).astype(X.dtype, copy=False)

    def _count_outputs(self) -> int:
        return self._target_count

    def _default_loss(self) -> Any:
        return MSELoss()

    def _score(self, outputs: Array, target: Array, weight: Array | None) -> float:
        return float(r2_score(target, outputs, sample_weight=weight))
