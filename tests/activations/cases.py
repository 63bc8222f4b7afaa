"""Every activation, with several parameter values, and its formula in plain Python."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import tinytorch_activations


@dataclass(frozen=True)
class Case:
    """One activation with its parameters.

    `formula` takes one element; for the softmaxes it takes the elements along one axis. `is_op`
    tells whether the activation is an op and a Tensor method, or composed of others.
    """

    function_name: str
    class_name: str
    formula: Callable[..., Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    is_op: bool = True

    def __str__(self):
        parameters = [f"{name}={value}" for name, value in self.parameters.items()]
        return "-".join([self.function_name, *parameters])

    def __call__(self, x):
        return getattr(tinytorch_activations, self.function_name)(x, **self.parameters)

    def as_method(self, x):
        return getattr(x, self.function_name)(**self.parameters)

    def as_class(self):
        return getattr(tinytorch_activations, self.class_name)(**self.parameters)

    def in_torch(self, torch, x):
        return getattr(torch.nn.functional, self.function_name)(x, **self.parameters)

    @property
    def torch_precision(self):
        """The precision of PyTorch's derivatives: in `hardsigmoid` it has 1/6 as a float32."""
        return 1e-7 if self.function_name == "hardsigmoid" else 1e-12

    def expected(self, x):
        """Return the formula applied to `x`, an array of one or more axes."""
        if "dim" in self.parameters:
            return np.apply_along_axis(self.formula, self.parameters["dim"], x)
        return np.array([self.formula(v, **self.parameters) for v in x.flat]).reshape(x.shape)


def _elu(x, alpha=1.0):
    return x if x > 0 else alpha * (math.exp(x) - 1)


def _leaky_relu(x, negative_slope=0.01):
    return x if x > 0 else negative_slope * x


def _softplus(x, beta=1.0, threshold=20.0):
    return x if beta * x > threshold else math.log(1 + math.exp(beta * x)) / beta


def _gelu(x, approximate="none"):
    if approximate == "none":
        return x * (1 + math.erf(x / math.sqrt(2))) / 2
    return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def _softmax(axis):
    return np.exp(axis) / np.sum(np.exp(axis))


def _log_softmax(axis):
    return np.log(_softmax(axis))


def _celu(x, alpha=1.0):
    return x if x > 0 else alpha * (math.exp(x / alpha) - 1)


def _selu(x):
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _hardtanh(x, min_val=-1.0, max_val=1.0):
    return min(max(x, min_val), max_val)


def _hardshrink(x, lambd=0.5):
    return 0 if -lambd <= x <= lambd else x


def _softshrink(x, lambd=0.5):
    return math.copysign(max(abs(x) - lambd, 0), x)


def _mish(x):
    return x * math.tanh(math.log(1 + math.exp(x)))


OPS = [
    Case("relu", "ReLU", lambda x: max(x, 0.0)),
    Case("leaky_relu", "LeakyReLU", _leaky_relu),
    Case("leaky_relu", "LeakyReLU", _leaky_relu, {"negative_slope": 0.25}),
    Case("elu", "ELU", _elu),
    Case("elu", "ELU", _elu, {"alpha": 0.5}),
    Case("silu", "SiLU", lambda x: x / (1 + math.exp(-x))),
    Case("sigmoid", "Sigmoid", lambda x: 1 / (1 + math.exp(-x))),
    Case("tanh", "Tanh", math.tanh),
    Case("softplus", "Softplus", _softplus),
    Case("softplus", "Softplus", _softplus, {"beta": 3.0, "threshold": 2.0}),
    Case("softplus", "Softplus", _softplus, {"beta": -1.0}),
    Case("gelu", "GELU", _gelu),
    Case("gelu", "GELU", _gelu, {"approximate": "tanh"}),
    Case("softmax", "Softmax", _softmax, {"dim": -1}),
    Case("softmax", "Softmax", _softmax, {"dim": 0}),
    Case("log_softmax", "LogSoftmax", _log_softmax, {"dim": -1}),
    Case("log_softmax", "LogSoftmax", _log_softmax, {"dim": 0}),
]

COMPOSED = [
    Case(*arguments, is_op=False)
    for arguments in (
        ("hardtanh", "Hardtanh", _hardtanh),
        ("hardtanh", "Hardtanh", _hardtanh, {"min_val": -2.25, "max_val": 0.2}),
        ("relu6", "ReLU6", lambda x: min(max(x, 0), 6)),
        ("hardsigmoid", "Hardsigmoid", lambda x: min(max(x + 3, 0), 6) / 6),
        ("hardswish", "Hardswish", lambda x: x * min(max(x + 3, 0), 6) / 6),
        ("hardshrink", "Hardshrink", _hardshrink),
        ("hardshrink", "Hardshrink", _hardshrink, {"lambd": 1.25}),
        ("softshrink", "Softshrink", _softshrink),
        ("softshrink", "Softshrink", _softshrink, {"lambd": 1.25}),
        (
            "threshold",
            "Threshold",
            lambda x, threshold, value: x if x > threshold else value,
            {"threshold": 0.5, "value": -2.0},
        ),
        ("logsigmoid", "LogSigmoid", lambda x: -math.log(1 + math.exp(-x))),
        ("mish", "Mish", _mish),
        ("selu", "SELU", _selu),
        ("celu", "CELU", _celu),
        ("celu", "CELU", _celu, {"alpha": 0.5}),
        ("softsign", "Softsign", lambda x: x / (1 + abs(x))),
        ("tanhshrink", "Tanhshrink", lambda x: x - math.tanh(x)),
        ("softmin", "Softmin", lambda axis: _softmax(-axis), {"dim": -1}),
        ("softmin", "Softmin", lambda axis: _softmax(-axis), {"dim": 0}),
    )
]

CASES = OPS + COMPOSED

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_op = pytest.mark.parametrize("case", OPS, ids=str)

# On both sides of 0 and of every other kink, and not close to them.
POINTS = np.random.default_rng(0).permutation(np.linspace(-3.1, 3.25, 12)).reshape(3, 4)
EXTREMES = np.array([-1e4, -1000, -100, -20.5, 0, 20.5, 100, 1000, 1e4])
