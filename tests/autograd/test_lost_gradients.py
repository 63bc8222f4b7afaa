"""float(), int() and complex() of tracked tensors: an error in transforms, elsewhere a warning."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate

from tinytorch_core import Tensor

from tinytorch_autograd import LostGradientError, LostGradientWarning, UntrackedError, func, no_grad


def element(x):
    array = np.zeros((2, 2))
    array[0, 0] = x[1]
    return x[0] * array[0, 0]


def filled(x):
    array = np.zeros(2)
    array.fill(x[1])
    return x[0] * array[0]


# Functions x -> x[0] * x[1] that convert x[1] to a number.
CONVERTING = {
    "float": lambda x: x[0] * float(x[1]),
    "int": lambda x: x[0] * int(x[1]),
    "complex": lambda x: np.real(x[0] * complex(x[1])),
    "a function of math": lambda x: x[0] * math.fabs(x[1]),
    "np.float64": lambda x: x[0] * np.float64(x[1]),
    "an element of an array": element,
    "fill": filled,
    "fromiter": lambda x: x[0] * np.fromiter([x[1]], float)[0],
    "an integral": lambda x: x[0] * integrate.quad(lambda u: x[1], 0, 1)[0],
    "the initial value of an array's sum": lambda x: x[0] * np.zeros(2).sum(initial=x[1]),
    "a scalar option": lambda x: x[0] * np.interp(-1.0, [0.0, 1.0], [0.0, 1.0], left=x[1]),
    "a rounded number": lambda x: x[0] * math.floor(x[1]),
}


def explanation(error):
    """Return the error, or its cause if NumPy has replaced it."""
    return error if isinstance(error, LostGradientError) else error.__cause__


@pytest.mark.parametrize("name", CONVERTING)
def test_a_conversion_in_a_transform_raises(name):
    with pytest.raises((LostGradientError, ValueError)) as caught:
        func.grad(CONVERTING[name])(np.array([2.0, 3.0]))
    error = explanation(caught.value)
    assert isinstance(error, LostGradientError)
    if name != "np.float64":  # which takes the array
        assert __file__ in str(error)
        assert "np.stack" in str(error)
        assert "x.item()" in str(error)


@pytest.mark.parametrize("name", CONVERTING)
def test_a_conversion_elsewhere_warns(name):
    x = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    with pytest.warns(LostGradientWarning, match="requires grad") as caught:
        assert CONVERTING[name](x).item() == pytest.approx(6.0)
    assert {warning.filename for warning in caught} == {__file__}


POINT = np.array([2.0, 3.0])
TRANSFORMS = {
    "value_and_grad": lambda f: func.value_and_grad(f)(POINT),
    "elementwise_grad": lambda f: func.elementwise_grad(f)(POINT),
    "jacobian": lambda f: func.jacobian(f)(POINT),
    "hessian": lambda f: func.hessian(f)(POINT),
    "hvp": lambda f: func.hvp(f)(POINT, POINT),
    "vjp": lambda f: func.vjp(f, POINT),
    "jvp": lambda f: func.jvp(f, (POINT,), (POINT,)),
    "a nested transform": lambda f: func.grad(lambda x: func.grad(f)(x).sum())(POINT),
    "the outer of two": lambda f: func.grad(lambda x: func.grad(lambda y: f(x) * y)(1.0))(POINT),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_raises(name):
    with pytest.raises(LostGradientError, match=r"float\(\) .*\n.*test_lost_gradients.py"):
        TRANSFORMS[name](lambda x: x[0] * float(x[1]))


def test_the_error_changes_nothing():
    with pytest.raises(LostGradientError):
        func.grad(lambda x: x * float(x))(3.0)
    with pytest.warns(LostGradientWarning):
        float(Tensor(1.0, requires_grad=True))
    assert func.grad(lambda x: x * x)(3.0).item() == 6.0


def test_a_tensor_that_a_transform_captures_warns():
    w = Tensor(2.0, requires_grad=True)
    with pytest.warns(LostGradientWarning):
        assert func.grad(lambda x: x * float(w * 1))(3.0).item() == 2.0


def test_each_line_of_a_program_warns_once(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(
        """\
from tinytorch_core import Tensor
import tinytorch_autograd

x = Tensor(1.0, requires_grad=True)
for _ in range(3):
    float(x * 2)
float(x * 2)
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-W", "default::UserWarning", str(program)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = re.findall(r"train\.py:(\d+): LostGradientWarning", ran.stderr)
    assert lines == ["6", "7"]


def test_what_does_not_convert_silently_loses_nothing():
    x = Tensor(2.5, requires_grad=True)
    assert (x.item(), bool(x), x > 2, f"{x:.1f}") == (2.5, True, True, "2.5")
    assert func.grad(lambda x: x * x.item())(3.0).item() == 3.0
    with no_grad():
        assert float(x) == 2.5
    assert float(x.detach()) == float(Tensor(2.5)) == 2.5


def test_an_array_of_a_tracked_tensor_is_not_called_untracked():
    with pytest.raises(LostGradientError) as caught:
        np.asarray(Tensor([1.0], requires_grad=True))
    assert not isinstance(caught.value, UntrackedError)
