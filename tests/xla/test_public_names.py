"""Every public loss, activation and layer is compiled; a new one is included by its name."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

import tinytorch_activations
import tinytorch_layers
import tinytorch_losses
import tinytorch_xla as xla
from tinytorch_autograd import grad
from tinytorch_layers import Module

from ..layers.cases import CASES as LAYERS  # noqa: TID252
from ..layers.cases import mixed  # noqa: TID252

pytestmark = pytest.mark.peers("jax")

X, Y = mixed((4, 3), 0.1, 0.9), mixed((4, 3), 0.9, 0.2)
CLASSES, SIGNS = np.array([0, 2, 1, 1]), np.array([1.0, -1.0, -1.0, 1.0])
ALIGNED = np.log(mixed((4, 2, 3), 0.2, 0.5)), np.array([[1, 2], [2, 1]]), [4, 4], [2, 1]
# Further arguments of functions, or of modules when they are called, by their names in lower case.
ARGUMENTS = {
    "logsoftmax": (X,),
    "crossentropy": (X, CLASSES),
    "nll": (np.log(X), CLASSES),
    "ctc": ALIGNED,
    "cosineembedding": (X, Y, SIGNS),
    "marginranking": (X[:, 0], Y[:, 0], SIGNS),
    "tripletmargin": (X, Y, X[::-1] + 0.3),
    "gaussiannll": (X, Y, X),
    "softmargin": (X, np.sign(X - 0.5)),
    "hingeembedding": (X, np.sign(X - 0.5)),
    "multilabelsoftmargin": (X, np.round(X)),
    "glu": (X[:, :2],),
    "prelu": (X - 0.5, np.array([0.25])),
    "threshold": (X, 0.3, 2.0),
}
# Arguments of constructors.
CREATED_WITH = {"Threshold": (0.3, 2.0)}
BASES = ("Loss", "Activation")


def calls_of(package, usual):
    """Yield the names of functions and modules of a package, with a call and its arguments."""
    for name in package.__all__:
        function = getattr(package, name)
        key = name.lower().replace("_", "").removesuffix("loss")
        arguments = ARGUMENTS.get(key, usual)
        if inspect.isclass(function):
            if name in BASES or not issubclass(function, Module):
                continue
            function = function(*CREATED_WITH.get(name, ()))
            if name in CREATED_WITH or package is tinytorch_activations:
                arguments = arguments[:1]
        yield name, function, arguments


def derivatives(function, arguments):
    """Return the value of a call, and derivatives of orders 1 and 2."""
    x, *rest = arguments
    x = Tensor(x, requires_grad=True)
    out = function(x, *(Tensor(a) if isinstance(a, np.ndarray | xla.Array) else a for a in rest))
    first = grad((out * out).sum(), x, create_graph=True)
    return [out, first, grad((first * first).sum(), x)]


@pytest.mark.parametrize(
    ("package", "usual"),
    [(tinytorch_losses, (X, Y)), (tinytorch_activations, (X - 0.5,))],
    ids=["losses", "activations"],
)
def test_losses_and_activations(package, usual):
    names, functions, given = map(list, zip(*calls_of(package, usual), strict=True))

    def program(given):
        return [derivatives(*call) for call in zip(functions, given, strict=True)]

    for name, ones, others in zip(names, xla.jit(program)(given), program(given), strict=True):
        for one, other in zip(ones, others, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(np.asarray(one.data), other.data, 1e-12, 1e-12, err_msg=name)


# Layers without a case in `tests/layers/cases.py`, whose cases are compiled in `test_training.py`.
ONE_PER_ROW = np.array([[0, 3]])
FURTHER_LAYERS = {
    "Bilinear": ((3, 3, 2), (X, Y)),
    "CosineSimilarity": ((), (X, Y)),
    "EmbeddingBag": ((5, 3), (np.array([[0, 1], [4, 4]]),)),
    "MaxUnpool1d": ((2,), (X[:1, :2][None], ONE_PER_ROW[None])),
    "MaxUnpool2d": ((2,), (X[:1, :2][None, None], ONE_PER_ROW[None, None])),
    "PairwiseDistance": ((), (X, Y)),
    "PositionalEncoding": ((4, 10, "learned"), (mixed((2, 3, 4)),)),
}


def test_every_layer():
    calls = " ".join(case.call for case in LAYERS)
    for name in tinytorch_layers.__all__:
        layer = getattr(tinytorch_layers, name)
        if inspect.isclass(layer) and issubclass(layer, Module) and layer is not Module:
            assert name in calls or name in FURTHER_LAYERS, name

    layers = [getattr(tinytorch_layers, n)(*given) for n, (given, _) in FURTHER_LAYERS.items()]
    given = [inputs for _, inputs in FURTHER_LAYERS.values()]

    def program(given):
        return [layer(*inputs) for layer, inputs in zip(layers, given, strict=True)]

    for one, other in zip(xla.jit(program)(given), program(given), strict=True):
        np.testing.assert_allclose(np.asarray(unwrap(one)), unwrap(other), 1e-6, 1e-7)
