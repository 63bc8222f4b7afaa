"""The activation classes: repr, copies, subclasses; and the errors of classes and functions."""

import copy
import pickle

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_activations as activations
from tinytorch_activations import Activation, relu

from .cases import CASES, POINTS, every_case

CLASSES = sorted({case.class_name for case in CASES})


@pytest.mark.parametrize(
    ("construct", "text"),
    [
        (lambda a: a.ReLU(), "ReLU()"),
        (lambda a: a.LeakyReLU(), "LeakyReLU(negative_slope=0.01)"),
        (lambda a: a.ELU(alpha=2), "ELU(alpha=2.0)"),
        (lambda a: a.SiLU(), "SiLU()"),
        (lambda a: a.Sigmoid(), "Sigmoid()"),
        (lambda a: a.Tanh(), "Tanh()"),
        (lambda a: a.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (lambda a: a.GELU(), "GELU(approximate='none')"),
        (lambda a: a.GELU("tanh"), "GELU(approximate='tanh')"),
        (lambda a: a.Softmax(), "Softmax(dim=-1)"),
        (lambda a: a.LogSoftmax(np.int64(1)), "LogSoftmax(dim=1)"),
        (lambda a: a.PReLU(3, dtype=np.float64), "PReLU(num_parameters=3)"),
        (lambda a: a.Hardtanh(-2), "Hardtanh(min_val=-2.0, max_val=1.0)"),
        (lambda a: a.ReLU6(), "ReLU6()"),
        (lambda a: a.Threshold(1, 2), "Threshold(threshold=1.0, value=2.0)"),
        (lambda a: a.Hardshrink(), "Hardshrink(lambd=0.5)"),
        (lambda a: a.Softshrink(1), "Softshrink(lambd=1.0)"),
        (lambda a: a.CELU(), "CELU(alpha=1.0)"),
        (lambda a: a.Softmin(0), "Softmin(dim=0)"),
        (lambda a: a.GLU(), "GLU(dim=-1)"),
    ],
)
def test_repr_is_the_call_that_constructs_it(construct, text):
    module = construct(activations)
    assert repr(module) == text
    assert repr(eval(text, vars(activations))) == text


@every_case
def test_copies_and_pickles_return_the_same_values(case):
    module = case.as_class()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        np.testing.assert_array_equal(other(POINTS), module(POINTS))


@pytest.mark.parametrize("name", CLASSES)
def test_class_and_function_have_the_same_default_values(name):
    function = next(case.function_name for case in CASES if case.class_name == name)
    given = {"threshold": 1.0, "value": 2.0} if name == "Threshold" else {}
    module = getattr(activations, name)(**given)
    expected = getattr(activations, function)(POINTS, **given)
    np.testing.assert_array_equal(module(POINTS), expected)


def test_parameters_can_be_assigned():
    module = activations.LeakyReLU()
    module.negative_slope = 0.5
    assert module(np.array([-2.0])) == [-1.0]


def test_subclass_of_activation():
    class ScaledReLU(Activation):
        """max(x, 0) times a factor."""

        @staticmethod
        def function(x, factor):
            return factor * relu(x)

        def __init__(self, factor):
            self.factor = factor
            self.note = "not a parameter"

    scaled = ScaledReLU(2)
    assert repr(scaled) == "ScaledReLU(factor=2)"
    assert scaled(Tensor([-1.0, 3.0])).tolist() == [0, 6]


def test_forward_can_be_overridden():
    class Twice(activations.Tanh):
        def forward(self, x):
            return 2 * super().forward(x)

    assert Twice()(np.array([100.0])) == [2]


INVALID_PARAMETERS = [
    ("LeakyReLU", "leaky_relu", {"negative_slope": "0.1"}, TypeError, "negative_slope.*str.*'0.1'"),
    ("LeakyReLU", "leaky_relu", {"negative_slope": float("nan")}, ValueError, "slope.*NaN"),
    ("ELU", "elu", {"alpha": None}, TypeError, "alpha must be a number, not NoneType"),
    ("ELU", "elu", {"alpha": Tensor(1.0)}, TypeError, "alpha.*Tensor.*constant.*no gradient"),
    ("ELU", "elu", {"alpha": float("nan")}, ValueError, "alpha must be a number, not NaN"),
    ("Softplus", "softplus", {"beta": 0}, ValueError, "beta must not be 0.*divided"),
    ("Softplus", "softplus", {"beta": [1.0]}, TypeError, "beta must be a number, not list"),
    ("Softplus", "softplus", {"threshold": "x"}, TypeError, "threshold must be a number"),
    ("GELU", "gelu", {"approximate": "foo"}, ValueError, "'none' or 'tanh', not 'foo'"),
    ("Softmax", "softmax", {"dim": 1.0}, TypeError, "dim must be an integer.*1.0"),
    ("Softmax", "softmax", {"dim": None}, TypeError, "dim must be an integer.*None.*-1"),
    ("LogSoftmax", "log_softmax", {"dim": (0, 1)}, TypeError, r"integer.*\(0, 1\)"),
    ("Softmin", "softmin", {"dim": 0.5}, TypeError, "dim must be an integer.*0.5"),
    ("GLU", "glu", {"dim": "last"}, TypeError, "dim must be an integer.*last"),
    ("Hardtanh", "hardtanh", {"min_val": "0"}, TypeError, "min_val must be a number, not str"),
    ("Hardtanh", "hardtanh", {"max_val": float("nan")}, ValueError, "max_val .* not NaN"),
    ("Hardtanh", "hardtanh", {"min_val": 2}, ValueError, r"not be greater .* 2\.0 > 1\.0"),
    ("Threshold", "threshold", {"threshold": [], "value": 1}, TypeError, "threshold must be"),
    ("Threshold", "threshold", {"threshold": 1, "value": float("nan")}, ValueError, "value .*NaN"),
    ("Hardshrink", "hardshrink", {"lambd": None}, TypeError, "lambd must be a number"),
    ("Hardshrink", "hardshrink", {"lambd": float("nan")}, ValueError, "lambd must be .* not NaN"),
    ("Softshrink", "softshrink", {"lambd": "x"}, TypeError, "lambd must be a number, not str"),
    ("Softshrink", "softshrink", {"lambd": -1}, ValueError, r"lambd must be at least 0, not -1\.0"),
    ("CELU", "celu", {"alpha": 0}, ValueError, "alpha must not be 0"),
    ("CELU", "celu", {"alpha": Tensor(1.0)}, TypeError, "alpha.*Tensor.*constant"),
]


@pytest.mark.parametrize(
    ("class_name", "function", "parameters", "error", "message"), INVALID_PARAMETERS
)
def test_class_and_function_reject_an_invalid_parameter(
    class_name, function, parameters, error, message
):
    with pytest.raises(error, match=message):
        getattr(activations, class_name)(**parameters)
    for x in (POINTS, Tensor(POINTS)):
        with pytest.raises(error, match=message):
            getattr(activations, function)(x, **parameters)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "glu"])
@pytest.mark.parametrize("dim", [2, -3])
def test_dim_out_of_range_names_dim_and_shape(name, dim):
    message = rf"{name}: dim {dim} is out of range for .* shape \(3, 4\).*between -2 and 1"
    for x in (POINTS, Tensor(POINTS)):
        with pytest.raises(IndexError, match=message):
            getattr(activations, name)(x, dim)


@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "mish"])
def test_softplus_and_what_uses_it_refuse_complex_numbers(name):
    with pytest.raises(TypeError, match="takes real numbers, not complex128"):
        getattr(activations, name)(np.array([1j]))
