"""Classifier, a network that predicts one class for each example."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from tinytorch_losses import CrossEntropyLoss
from tinytorch_sklearn.estimator import Array, Estimator


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A classifier for scikit-learn: a perceptron like MLPClassifier, or a network of your own.

    Parameters with the names of MLPClassifier have its meanings and defaults. Computations have
    the dtype of `X`, float32 or float64, or that of the parameters of `module`.

    Args:
        hidden_layer_sizes: the number of units in each hidden layer.
        activation: "identity", "logistic", "tanh", "relu", or a function that returns a module.
        module: a network instead of this perceptron. A Module, which is copied, or a function that
            returns one; it is called with those of `n_features`, `n_outputs` and `generator` (a
            NumPy generator) that are among its parameters. It must return scores, not
            probabilities, of shape (examples, classes). `X` may then have more than two axes.
        module_params: further arguments of this function.
        loss: a loss with a `reduction`; by default CrossEntropyLoss.
        class_weight: None, "balanced", or a dict of the weights of the classes.
        solver: "adam", "sgd", or a class such as tinytorch_training.AdamW, which is called with
            groups of parameters and `lr=learning_rate_init`.
        alpha: the strength of an L2 penalty of the weights.
        batch_size: the number of examples in a batch; "auto" is 200, or all if there are fewer.
        learning_rate_init: the learning rate.
        max_iter: the largest number of epochs.
        shuffle: whether to draw a new order of the examples for each epoch.
        random_state: a seed, a RandomState, or None. It determines the initial weights of the
            perceptron, the orders and the examples held out. A Module has its own initial weights.
        tol, n_iter_no_change: training ends if the loss, or with `early_stopping` the score, has
            not improved by `tol` for more than this number of epochs.
        verbose: whether to show the progress.
        warm_start: whether another call of `fit` continues with the weights of the last one.
        momentum, nesterovs_momentum: options of "sgd".
        early_stopping: whether to hold out examples, and restore the weights with the best score.
        validation_fraction: the fraction held out.
        beta_1, beta_2, epsilon: options of "adam".
        callbacks: callbacks of the Trainer; each call of `fit` uses copies, `callbacks_`.
        compile: whether to compile the steps, as for the Trainer.

    Attributes:
        classes_: the classes, in the order of the outputs.
        module_, optimizer_: the network and its optimizer.
        loss_, best_loss_, loss_curve_: the last, the best and all mean losses of epochs.
        validation_scores_, best_validation_score_: the scores with `early_stopping`, or None.
        n_iter_, t_: the numbers of epochs and of steps.
        n_features_in_, feature_names_in_, n_outputs_: of the data.

    Raises:
        TypeError, ValueError: in `fit`, a parameter has the wrong type or is out of range.

    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(noise=0.1, random_state=0)
    >>> model = Classifier(learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict_proba(X[:2]).shape
    (2, 2)
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        module: Any = None,
        module_params: dict[str, Any] | None = None,
        loss: Any = None,
        class_weight: Any = None,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 0.0001,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        callbacks: Any = (),
        compile: bool | str = False,
    ) -> None:
        # scikit-learn reads the names of the parameters from this signature.
        given = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self.class_weight = given.pop("class_weight")
        super().__init__(**given)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Train the network.

        Args:
            X: inputs of shape (examples, features).
            y: the class of each example.
            sample_weight: the weight of each example in the loss, or None.

        Raises:
            ValueError: `y` does not contain one class for each example, or a weight is negative.
        """
        return self._fit(X, y, sample_weight)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Classifier:
        """Train for one epoch, after earlier calls.

        Args:
            X, y, sample_weight: as for `fit`.
            classes: all classes; required in the first call.

        Raises:
            ValueError: `classes` is missing or differs from that of an earlier call.
        """
        if not hasattr(self, "module_"):
            if classes is None:
                raise ValueError("the first call of partial_fit() needs all classes: classes=...")
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes of partial_fit() are {np.unique(classes)}, but were {self.classes_} in "
                "the first call"
            )
        return self._partial_fit(X, y, sample_weight)

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes, of shape (examples, classes)."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities, of shape (examples, classes)."""
        scores = self._outputs_for(X)
        scores = scores - scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each example."""
        best = self._outputs_for(X).argmax(axis=1)
        return self.classes_[best]

    def _checked(self, X: Any, y: Any, first: bool, partial: bool) -> tuple[Array, Array]:
        X, y = self._inputs(X, reset=first, y=y, multi_output=True)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Classifier predicts one class for each example, but y is {kind!r}; use "
                "sklearn.multioutput.MultiOutputClassifier(Classifier())"
            )
        found = np.unique(y)
        if first and not partial:
            self.classes_ = found
        unknown = np.setdiff1d(found, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y contains the classes {unknown}, which are not among those of the first call, "
                f"{self.classes_}"
            )
        return X, np.searchsorted(self.classes_, y)

    def _weight(self, X: Array, target: Array, sample_weight: Any, partial: bool) -> Array | None:
        weight = super()._weight(X, target, sample_weight, partial)
        if self.class_weight is None:
            return weight
        if self.class_weight == "balanced" and partial:
            raise ValueError(
                "class_weight='balanced' needs the frequencies of all classes, which partial_fit() "
                "does not know; pass a dict of weights"
            )
        own = compute_sample_weight(self.class_weight, self.classes_[target]).astype(X.dtype)
        return own if weight is None else weight * own

    def _count_outputs(self) -> int:
        return len(self.classes_)

    def _default_loss(self) -> Any:
        return CrossEntropyLoss()

    def _strata(self, target: Array) -> Array:
        return target

    def _score(self, outputs: Array, target: Array, weight: Array | None) -> float:
        return float(np.average(outputs.argmax(axis=1) == target, weights=weight))
