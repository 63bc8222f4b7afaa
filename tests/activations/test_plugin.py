"""The activations as a plugin: enabled and disabled, with and without autograd."""

import inspect
import os
import subprocess
import sys
from operator import methodcaller

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_activations import Sigmoid, Softmax, Tanh, relu, tanh

from .cases import OPS, POINTS, every_case

# `tanh` is a method of the plain Tensor.
METHODS = sorted({case.function_name for case in OPS} - {"tanh"})


def attributes():
    # dir() also lists names whose access raises an error that names the missing plugin.
    # Python 3.14 adds names when annotations are first read.
    names = [n for n in dir(Tensor) if hasattr(Tensor, n) and not n.startswith("__annot")]
    return {name: inspect.getattr_static(Tensor, name) for name in names}


def test_disabling_removes_exactly_the_methods_of_the_plugin():
    with plugins.disable("activations"):
        without = attributes()
        assert not set(METHODS) & set(without)
        with plugins.enable("activations"):
            assert set(attributes()) - set(without) == set(METHODS)
        assert attributes() == without
    assert set(METHODS) <= set(attributes())


def test_when_disabled_functions_work_on_arrays_and_raise_for_tensors():
    with plugins.disable("activations"):
        np.testing.assert_array_equal(relu(np.array([-1.0, 1.0])), [0, 1])
        with pytest.raises(AttributeError, match="no active plugin provides the op 'relu'"):
            relu(Tensor([1.0]))


@pytest.mark.parametrize("off", [(), ("activations",)])
@pytest.mark.parametrize("function", [np.tanh, tanh, Tanh(), methodcaller("tanh")])
def test_tanh_is_differentiable_with_and_without_the_plugin(function, off):
    with plugins.disable(*off):
        x = Tensor([0.5], requires_grad=True)
        out = function(x)
        out.backward()
        assert type(out.grad_fn).__name__ == "TanhBackward"
        np.testing.assert_allclose(x.grad, 1 - np.tanh(0.5) ** 2, rtol=1e-6)


@every_case
def test_values_do_not_depend_on_autograd(case):
    with_autograd = case(Tensor(POINTS)).data
    with plugins.disable("autograd"):
        x = Tensor(POINTS)
        assert not hasattr(x, "requires_grad")
        np.testing.assert_array_equal(case(x).data, with_autograd)
        if case.is_op:
            np.testing.assert_array_equal(case.as_method(x).data, with_autograd)


def test_sigmoid_is_stable_without_autograd():
    with plugins.disable("autograd"):
        assert Sigmoid()(Tensor([-1000.0, 0.0, 1000.0])).tolist() == [0, 0.5, 1]


def test_autograd_is_not_imported():
    program = (
        "import tinytorch_activations as a, sys; from tinytorch_core import Tensor, plugins\n"
        "assert plugins.active().count('activations') == 1, plugins.active()\n"
        "assert a.ReLU()(Tensor([-1.0, 2.0])).tolist() == [0, 2]\n"
        "assert Tensor([0.0]).gelu().tolist() == [0]\n"
        "assert not [m for m in sys.modules if m.startswith('tinytorch_autograd')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "TINYTORCH_PLUGINS": "no:autograd"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_subclass_of_tensor_has_gradients():
    class Image(Tensor):
        pass

    x = Image([[1.0, 2.0]], requires_grad=True)
    out = Softmax()(x)
    assert type(out) is Tensor
    (out * out).sum().backward()
    assert x.grad.shape == (1, 2)
