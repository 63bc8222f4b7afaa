"""The network of an estimator: a perceptron, a user's module, or what a user's function builds."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinytorch_core.extend import did_you_mean

from tinytorch_activations import ReLU, Sigmoid, Tanh
from tinytorch_layers import Identity, Linear
from tinytorch_modules import Module, Sequential, arguments

# The names of MLPClassifier.
ACTIVATIONS: dict[str, Callable[[], Module]] = {
    "identity": Identity,
    "logistic": Sigmoid,
    "relu": ReLU,
    "tanh": Tanh,
}


def perceptron(
    sizes: Iterable[int], activation: Any, generator: np.random.Generator, dtype: Any
) -> Module:
    """Return linear layers with activations between them.

    Args:
        sizes: the numbers of inputs, of units in each hidden layer, and of outputs.
        activation: a name in `ACTIVATIONS`, or a function that returns a module.
        generator: draws the initial weights.
        dtype: the dtype of the parameters.

    Raises:
        TypeError, ValueError: a size is not a positive integer, or the activation is unknown.
    """
    sizes = [arguments.integer("the estimator", "hidden_layer_sizes", n) for n in sizes]
    create = _activation(activation)
    layers: list[Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, dtype=dtype, generator=generator), create()]
    return Sequential(*layers[:-1])


def _activation(activation: Any) -> Callable[[], Module]:
    if callable(activation):
        return activation
    if not (isinstance(activation, str) and activation in ACTIVATIONS):
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, or a function that returns a "
            f"module, such as tinytorch_activations.GELU, not {activation!r:.60}. "
            f"{did_you_mean(str(activation), ACTIVATIONS)}"
        )
    return ACTIVATIONS[activation]


def built(module: Any, options: Mapping[str, Any] | None, known: Mapping[str, Any]) -> Module:
    """Return a copy of a user's module, or the module that a user's function returns.

    Args:
        module: a Module, or a function that returns one.
        options: further arguments of the function, or None.
        known: arguments that the function gets if it has parameters of these names.

    Raises:
        TypeError: `module` is neither a Module nor a function that returns one.
    """
    if isinstance(module, Module):
        return copy.deepcopy(module)
    if not callable(module):
        raise TypeError(
            f"module must be a Module or a function that returns one, not {module!r:.60}"
        )
    parameters = inspect.signature(module).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = {k: v for k, v in known.items() if takes_all or k in parameters}
    found = module(**{**given, **(options or {})})
    if not isinstance(found, Module):
        raise TypeError(f"the function `module` must return a Module, but returned {found!r:.60}")
    return found
