"""SciPy's own functions called with Tensors, and when scipy.special is imported."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.special

from tinytorch_core import Tensor, plugins

import tinytorch_special as special
from tinytorch_special.family import FUNCTIONS

SPECIAL = [name for name, function in FUNCTIONS.items() if function.module == "special"]
UFUNCS = [n for n in SPECIAL if isinstance(getattr(scipy.special, n), np.ufunc)]


@pytest.mark.parametrize("name", UFUNCS)
def test_a_scipy_ufunc_runs_the_op(name):
    ufunc = getattr(scipy.special, name)
    inputs = [*[1] * (ufunc.nin - 1), np.array([0.25, 0.5])]
    out = ufunc(*inputs[:-1], Tensor(inputs[-1], requires_grad=True))
    assert out.grad_fn.op.name == f"special_{name}"
    np.testing.assert_array_equal(out.data, ufunc(*inputs))


def test_almost_all_are_ufuncs():
    assert set(SPECIAL) - set(UFUNCS) == {"polygamma", "zeta", "logsumexp", "multigammaln"}


def test_a_ufunc_call_with_options_runs_scipys_function():
    x = Tensor([0.5, 1.0])
    out = scipy.special.erf(x, where=np.array([True, False]), out=np.zeros(2, np.float32))
    np.testing.assert_allclose(out, [0.5204999, 0])
    reduce = scipy.special.xlogy.reduce
    np.testing.assert_array_equal(reduce(x).data, reduce(x.data))


def test_complex_numbers_run_scipys_function():
    z = np.array([0.5 + 1j])
    np.testing.assert_array_equal(scipy.special.gamma(Tensor(z)).data, scipy.special.gamma(z))
    with pytest.raises(TypeError, match=r"gamma\(\) got complex numbers"):
        special.gamma(Tensor(z))
    with pytest.raises(TypeError, match="got complex numbers"):
        special.xlogy(2.0, 1j)


def test_other_scipy_functions_are_unaffected():
    x = Tensor([1.0, 2.0])
    np.testing.assert_allclose(scipy.special.sindg(x).data, scipy.special.sindg(x.data))


@pytest.mark.parametrize("n", [1.5, "1", True, Tensor(1.0)])
def test_an_order_that_is_not_an_integer_is_rejected(n):
    with pytest.raises(TypeError, match=r"n of polygamma\(\) must be an integer, not \w+"):
        special.polygamma(n, np.ones(2))


def run(program, chosen="all"):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "TINYTORCH_PLUGINS": chosen, "TINYTORCH_STRICT": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scipy_special_is_imported_on_first_use():
    program = """
import sys
import numpy as np
from tinytorch_core import Tensor
import tinytorch_special as special
np.sinc(Tensor([1.0]))  # an on-demand op of a NumPy function
assert "scipy.special" not in sys.modules
print(special.erf(Tensor([0.0])))
assert "scipy.special" in sys.modules
"""
    assert run(program) == "Tensor([0.])\n"


def test_the_forward_works_without_autograd():
    program = """
import sys
import scipy.special
from tinytorch_core import Tensor
import tinytorch_special as special
print(special.erf(Tensor([0.0])), scipy.special.expit(Tensor([0.0])))
assert "tinytorch_autograd" not in sys.modules
"""
    assert run(program, "special") == "Tensor([0.]) Tensor([0.5])\n"


def test_a_disabled_plugin_raises_on_tensors_only():
    with plugins.disable("special"):
        assert special.erf(0.0) == 0
        with pytest.raises(AttributeError, match="special_erf"):
            special.erf(Tensor([0.0]))
        np.testing.assert_array_equal(scipy.special.erf(Tensor([0.0])).data, [0])
