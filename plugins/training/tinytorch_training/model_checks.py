"""Checks of the parts of a Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinytorch_training.optimizer import Optimizer

_MODULE_ATTRIBUTES = (
    *("named_parameters", "named_modules", "train", "eval", "training"),
    *("state_dict", "load_state_dict"),
)


def check_model(model: Any, optimizer: Optimizer) -> None:
    """Raise an error unless the optimizer has parameters of the model, a Module.

    Raises:
        TypeError: the model lacks methods of a Module, or the optimizer is not an Optimizer.
        ValueError: the optimizer has none of the model's parameters.
    """
    if isinstance(model, type):
        raise TypeError(
            f"model of Trainer is the class {model.__name__}; pass an instance of it, "
            f"{model.__name__}(...)"
        )
    if missing := [name for name in _MODULE_ATTRIBUTES if not hasattr(model, name)]:
        raise TypeError(
            f"model of Trainer must be a Module of tinytorch-layers, or have its methods; "
            f"{type(model).__name__} has no {', '.join(missing)}"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer of Trainer must be an optimizer, such as SGD(model.parameters()), not "
            f"{optimizer!r:.60}"
        )
    model_parameters = {id(p) for _, p in model.named_parameters()}
    if model_parameters.isdisjoint(map(id, optimizer.parameters())):
        raise ValueError(
            f"the {type(optimizer).__name__} passed to Trainer has no parameter of the model; "
            "create it with model.parameters() of the same model"
        )


def checked_generators(value: Any) -> dict[str, np.random.Generator]:
    """Return the argument `generators` of a Trainer as a dict."""
    generators = dict(value or {})
    for name, generator in generators.items():
        if not isinstance(generator, np.random.Generator):
            raise TypeError(
                f"generators[{name!r}] of Trainer must be a numpy.random.Generator, not "
                f"{generator!r:.60}"
            )
    return generators


def check_reusable(name: str, data: Any) -> None:
    """Raise TypeError if the data of several epochs are an iterator."""
    if isinstance(data, Iterator):
        raise TypeError(
            f"{name} of fit() is a {type(data).__name__}, which is empty after the first epoch; "
            "pass a DataLoader or a list"
        )
