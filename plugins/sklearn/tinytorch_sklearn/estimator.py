"""Estimator, what classifiers and regressors have in common: the network and its training."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from tinytorch_sklearn.checks import batch_size_for, check_parameters, validated
from tinytorch_sklearn.networks import built, perceptron
from tinytorch_sklearn.stopping import Stopping
from tinytorch_training import SGD, Adam, Optimizer, Trainer

Array = Any


class Estimator(BaseEstimator):  # type: ignore[misc]
    """The base class of `Classifier` and `Regressor`, which describe the parameters."""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        module: Any = None,
        module_params: dict[str, Any] | None = None,
        loss: Callable[[Any, Any], Any] | None = None,
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
        callbacks: Iterable[Any] = (),
        compile: bool | str = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.module = module
        self.module_params = module_params
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.compile = compile

    # What subclasses define.

    def _checked(self, X: Any, y: Any, first: bool, partial: bool) -> tuple[Array, Array]:
        """Return the inputs, and the targets that the loss compares with the outputs.

        Args:
            X, y: what the user has passed.
            first: whether a new network is built for them.
            partial: whether they are those of `partial_fit`, and others follow.
        """
        raise NotImplementedError

    def _count_outputs(self) -> int:
        """Return the number of outputs of the network."""
        raise NotImplementedError

    def _default_loss(self) -> Any:
        """Return the loss that is used if the user has passed none."""
        raise NotImplementedError

    def _strata(self, target: Array) -> Array | None:
        """Return the classes that held-out examples contain in proportion, or None."""
        return None

    def _score(self, outputs: Array, target: Array, weight: Array | None) -> float:
        """Return the score of outputs of the network on held-out examples."""
        raise NotImplementedError

    # Training.

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        check_parameters(self)
        first = not (self.warm_start and hasattr(self, "module_"))
        X, target = self._checked(X, y, first, partial=False)
        weight = self._weight(X, target, sample_weight, partial=False)
        self._start(X, builds=first)
        self._train(X, target, weight, self.max_iter)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        check_parameters(self)
        if self.early_stopping:
            raise ValueError(
                f"{type(self).__name__}.partial_fit() does not support early_stopping=True, which "
                "needs all examples; use fit()"
            )
        first = not hasattr(self, "module_")
        X, target = self._checked(X, y, first, partial=True)
        weight = self._weight(X, target, sample_weight, partial=True)
        if first:
            self._start(X, builds=True)
        self._train(X, target, weight, 1)
        return self

    def _weight(self, X: Array, target: Array, sample_weight: Any, partial: bool) -> Array | None:
        """Return the weight of each example in the loss, or None if all are equal.

        Raises:
            ValueError: a weight is negative, or all are 0.
        """
        if sample_weight is None:
            return None
        weight: Array = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        if weight.min() < 0 or not weight.any():
            raise ValueError(
                f"sample_weight of {type(self).__name__} must be 0 or more, and positive for at "
                f"least one example; it ranges from {weight.min():g} to {weight.max():g}"
            )
        return weight

    def _start(self, X: Array, builds: bool) -> None:
        """Begin to train: seed the generator, forget the optimizer, and build the network."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._generator = np.random.default_rng(seed)
        if builds:
            self._build(X)
        self.optimizer_: Any = None
        self.n_iter_ = self.t_ = 0

    def _build(self, X: Array) -> None:
        """Create the network."""
        self.n_outputs_, random = self._count_outputs(), self._generator
        if self.module is None:
            hidden = self.hidden_layer_sizes
            hidden = hidden if isinstance(hidden, Iterable) else (hidden,)
            sizes = (X.shape[1], *hidden, self.n_outputs_)
            self.module_ = perceptron(sizes, self.activation, random, X.dtype)
        else:
            known = {"n_features": X.shape[1], "n_outputs": self.n_outputs_, "generator": random}
            self.module_ = built(self.module, self.module_params, known)

    def _train(self, X: Array, target: Array, weight: Array | None, epochs: int) -> None:
        """Train for some epochs, or until the stopping criterion of `fit` is met."""
        dtype = self._dtype()
        X = X.astype(dtype, copy=False)
        if target.dtype.kind == "f":
            target = target.astype(dtype, copy=False)
        score = None
        if self.early_stopping:
            X, target, weight, held_out = self._split(X, target, weight)
            score = functools.partial(self._score_of, *held_out)
        size = batch_size_for(self, len(X))
        if self.optimizer_ is None:
            total = len(X) if weight is None else weight.sum()
            self.optimizer_ = self._optimizer(float(total) * size / len(X))
            if self.module is not None:
                self._predicted(X[:1])  # checks the shape of the outputs
        stopping = Stopping(self.tol, self.n_iter_no_change, score)
        trainer = self._trainer()
        self.callbacks_ = copy.deepcopy(list(self.callbacks))
        trainer.callbacks = [*self.callbacks_, stopping]
        trainer.fit(
            X,
            target,
            epochs,
            batch_size=size,
            shuffle=self.shuffle,
            generator=self._generator,
            sample_weight=weight,
        )
        self._record(trainer, stopping)
        if epochs > 1 and epochs == trainer.epoch and not stopping.converged:
            warnings.warn(
                f"{type(self).__name__} has not converged after max_iter={epochs} epochs; "
                "increase max_iter or tol",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _record(self, trainer: Trainer, stopping: Stopping) -> None:
        """Set the attributes that describe the training."""
        curve = getattr(self, "loss_curve_", []) if self.n_iter_ else []
        self.loss_curve_ = [*curve, *stopping.losses]
        self.loss_ = self.loss_curve_[-1]
        self.n_iter_ += trainer.epoch
        self.t_ += trainer.step
        if stopping.score is None:
            self.best_loss_ = min(self.loss_curve_)
            self.validation_scores_ = self.best_validation_score_ = None
        else:
            self.best_loss_ = None
            self.validation_scores_ = stopping.scores
            self.best_validation_score_ = stopping.best

    def _split(self, X: Array, target: Array, weight: Array | None) -> tuple[Any, ...]:
        """Return X, target and weight of the examples to train with, and of those held out."""
        parts = [X, target] if weight is None else [X, target, weight]
        seed = int(self._generator.integers(2**31 - 1))
        found = train_test_split(
            *parts,
            test_size=self.validation_fraction,
            stratify=self._strata(target),
            random_state=seed,
        )
        train, held_out = found[::2], found[1::2]
        if weight is None:
            return *train, None, [*held_out, None]
        return *train, held_out

    def _dtype(self) -> Any:
        """Return the dtype that the network computes in."""
        return next((p.dtype for p in self.module_.parameters() if p.dtype.kind == "f"), np.float64)

    def _optimizer(self, batch: float) -> Optimizer:
        """Return the optimizer; `batch` is the number of examples in a batch, or their weight."""
        # As in scikit-learn, the penalty is for weights only, and is divided by the batch size.
        parameters = list(self.module_.parameters())
        weights = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        groups: list[Any] = [
            {"params": weights, "weight_decay": self.alpha / batch},
            {"params": others},
        ]
        groups = [group for group in groups if group["params"]]
        lr = self.learning_rate_init
        if callable(self.solver):
            return self.solver(groups, lr=lr)
        if self.solver == "adam":
            return Adam(groups, lr, betas=(self.beta_1, self.beta_2), eps=self.epsilon)
        if self.solver == "sgd":
            nesterov = self.nesterovs_momentum and self.momentum > 0
            return SGD(groups, lr, momentum=self.momentum, nesterov=nesterov)
        raise ValueError(
            f"solver of {type(self).__name__} must be 'adam', 'sgd', or an optimizer such as "
            f"tinytorch_training.AdamW, not {self.solver!r:.60}"
        )

    def _trainer(self) -> Trainer:
        loss = self._default_loss() if self.loss is None else self.loss
        return Trainer(
            self.module_,
            loss,
            self.optimizer_,
            progress=None if self.verbose else False,
            compile=self.compile,
        )

    # Prediction.

    def _score_of(self, X: Array, target: Array, weight: Array | None) -> float:
        """Return the score of the network on checked examples."""
        return self._score(self._predicted(X), target, weight)

    def _predicted(self, X: Array) -> Array:
        """Return the outputs of the network for checked inputs."""
        inputs = X.astype(self._dtype(), copy=False)
        # Compiled by XLA, the network returns arrays of JAX.
        outputs = np.asarray(self._trainer().predict(inputs, batch_size=1024))
        if outputs.shape != (len(X), self.n_outputs_):
            raise ValueError(
                f"the module of {type(self).__name__} must return an array of shape (examples, "
                f"outputs), here {(len(X), self.n_outputs_)}, but returned {outputs.shape}"
            )
        return outputs

    def _outputs_for(self, X: Any) -> Array:
        """Return the outputs of the network for a user's inputs."""
        check_is_fitted(self)
        return self._predicted(self._inputs(X, reset=False))

    def _inputs(self, X: Any, reset: bool, **options: Any) -> Any:
        """Return checked inputs; further arguments are those of `validate_data`."""
        several = self.module is not None
        return validated(
            self, X, reset=reset, dtype=(np.float64, np.float32), allow_nd=several, **options
        )
