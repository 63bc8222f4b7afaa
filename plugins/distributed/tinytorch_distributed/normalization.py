"""SyncBatchNorm, batch normalization with the mean and variance over the batches of all ranks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_distributed.collectives import all_reduce
from tinytorch_distributed.engine import Engine
from tinytorch_layers import BatchNorm1d, BatchNorm2d
from tinytorch_modules import Module

Array = Any


class SyncBatchNorm(BatchNorm2d):
    """Batch normalization whose mean and variance are those of the batches of all ranks.

    In training mode each call communicates, so every rank must make it. In evaluation mode the
    layer is a BatchNorm. Names in the state are those of a BatchNorm, too.

    Arguments and attributes are those of `BatchNorm2d`, and:

    Args:
        comm: the engine of this rank.

    Raises:
        ValueError: the input does not have the shape (N, C) or (N, C, ...), or, in training mode,
            the ranks together have one value for each channel. Others are those of `BatchNorm2d`.

    >>> from tinytorch_distributed import run_threads
    >>> def normalized(comm):
    ...     layer = SyncBatchNorm(1, comm, affine=False)
    ...     return layer(np.array([[2.0 * comm.rank]])).round(3)
    >>> run_threads(normalized, 2)
    [array([[-1.]]), array([[1.]])]
    """

    def __init__(self, num_features: int, comm: Engine, *args: Any, **options: Any) -> None:
        super().__init__(num_features, *args, **options)
        self._comm = comm

    def forward(self, x: Array) -> Array:
        shape = np.shape(unwrap(x))
        if len(shape) < 2 or shape[1] != self.num_features:
            raise ValueError(
                f"{self} expects an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, ...), not {shape}"
            )
        if self.uses_running_statistics:
            return self.use_running_statistics(x)
        if x.dtype.char == "e":
            return self._standardized(x.astype(np.float32)).astype(x.dtype)
        return self._standardized(x)

    def _standardized(self, x: Array) -> Array:
        """Return x with mean 0 and variance 1 over the batches of all ranks, scaled and shifted."""
        axes = (0, *range(2, x.ndim))
        channels = (1, self.num_features, *(1,) * (x.ndim - 2))
        # The number of values is sent with the sums, in one message.
        own = np.full(1, math.prod(x.shape) // self.num_features, x.dtype)
        total = all_reduce(np.concatenate([x.sum(axis=axes), own]), self._comm)
        number = unwrap(total)[-1]
        if number < 2:
            raise ValueError(
                f"{self} in training mode needs more than one value for each channel, but the "
                f"ranks together have {int(number)}; use a larger batch, or eval()"
            )
        mean = (total[:-1] / number).reshape(channels)
        centred = x - mean
        squares = (centred * centred).sum(axis=axes, keepdims=True)
        variance = all_reduce(squares, self._comm) / number
        if self.training and self.running_mean is not None:
            self._track(unwrap(mean).ravel(), unwrap(variance).ravel(), number)
        y = centred / np.sqrt(variance + self.eps)
        if self.weight is not None:
            y = y * self.weight.reshape(channels)
        return y if self.bias is None else y + self.bias.reshape(channels)

    def _track(self, mean: Array, variance: Array, number: Any) -> None:
        """Move the running statistics towards those of the whole batch."""
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.update_statistics(mean, variance * (number / (number - 1)), momentum)

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncBatchNorm:
        # Imported here: only this method needs it. The connection to other ranks is not copied.
        import copy

        memo[id(self._comm)] = self._comm
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        for name, value in vars(self).items():
            vars(made)[name] = copy.deepcopy(value, memo)
        return made

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, comm: Engine) -> Module:
        """Replace the BatchNorm layers of a model by SyncBatchNorm layers with the same parameters.

        Args:
            module: the model; if it is itself a BatchNorm, use the result.
            comm: the engine of this rank.

        Returns:
            The model. An optimizer that was created before keeps working.

        >>> from tinytorch_distributed import run_threads
        >>> from tinytorch_layers import Linear, Sequential
        >>> def model(comm):
        ...     layers = Sequential(Linear(2, 2), BatchNorm1d(2))
        ...     return SyncBatchNorm.convert_sync_batchnorm(layers, comm)[1]
        >>> run_threads(model, 2)[0]
        SyncBatchNorm(2)
        """
        if isinstance(module, BatchNorm1d | BatchNorm2d) and not isinstance(module, cls):
            return cls._of(module, comm)
        for parent in list(module.modules()):
            _replace(vars(parent), lambda layer: cls.convert_sync_batchnorm(layer, comm))
        return module

    @classmethod
    def _of(cls, layer: BatchNorm1d | BatchNorm2d, comm: Engine) -> SyncBatchNorm:
        made = cls.__new__(cls)
        vars(made).update(vars(layer))
        vars(made)["_comm"] = comm
        return made


def _replace(values: Any, convert: Any) -> None:
    """Replace the BatchNorm layers among the values of a dict, or in its lists and dicts."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in list(items):
        if isinstance(value, BatchNorm1d | BatchNorm2d):
            values[key] = convert(value)
        elif isinstance(value, list | dict):
            _replace(value, convert)
