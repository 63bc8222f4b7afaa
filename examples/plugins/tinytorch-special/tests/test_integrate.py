"""odeint, compared with closed forms, with SciPy and with numerical differentiation."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from tinytorch_core import Tensor

from tinytorch_autograd import func, grad, no_grad
from tinytorch_special.integrate import odeint

TIGHT = {"rtol": 1e-11, "atol": 1e-11}
A = np.array([[-0.5, 1.0], [-2.0, -0.3]])
Y0 = np.array([1.0, 0.5])
T = np.array([0.0, 0.3, 1.0, 2.0])


def linear(y, t, a):
    return a @ y


def pendulum(y, t, damping, stiffness):
    angle, speed = y
    return [speed, -damping * speed - stiffness * np.sin(angle) + 0.2 * np.cos(t)]


def test_the_solution_is_that_of_scipy():
    expected = scipy.integrate.odeint(pendulum, Y0, T, args=(0.25, 5.0))
    np.testing.assert_array_equal(odeint(pendulum, Y0, T, args=(0.25, 5.0)), expected)
    for arguments in ((Tensor(Y0), T), (Y0, Tensor(T))):
        found = odeint(pendulum, *arguments, args=(0.25, Tensor(np.array(5.0))))
        np.testing.assert_array_equal(found.data, expected)


def test_args_may_be_a_single_argument():
    k = Tensor(np.array(0.5), requires_grad=True)
    odeint(lambda y, t, k: -k * y, [1.0], [0.0, 1.0], k)[1].sum().backward()
    assert k.grad == pytest.approx(-np.exp(-0.5), rel=1e-6)


def test_options_are_those_of_scipy():
    def swapped(t, y):
        return -y

    expected = scipy.integrate.odeint(
        swapped, [1.0], T, tfirst=True, hmax=0.01, rtol=1e-4, atol=0.0
    )
    found = odeint(swapped, [1.0], list(T), tfirst=True, hmax=0.01, rtol=1e-4, atol=0.0)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="does not take Dfun, full_output; its options are rtol"):
        odeint(linear, Y0, T, args=(A,), full_output=1, Dfun=linear)


def test_gradients_of_a_linear_equation_are_those_of_the_matrix_exponential():
    a, y0 = (Tensor(v, requires_grad=True) for v in (A, Y0))
    weights = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, -2.0]])
    y = odeint(linear, y0, T, (a,), **TIGHT)
    by_y0, by_a = grad((y * weights).sum(), (y0, a))
    w = weights[-1]
    np.testing.assert_allclose(by_y0.data, scipy.linalg.expm(2 * A).T @ w, rtol=1e-8)
    # The derivative of w exp(2A) y in the direction E is that of expm at 2A in the direction 2E.
    expected = scipy.linalg.expm_frechet(2 * A.T, 2 * np.outer(w, Y0), compute_expm=False)
    np.testing.assert_allclose(by_a.data, expected, rtol=1e-8)


def test_derivatives_of_both_orders_by_every_argument(check_derivatives):
    def solution(y0, t, damping, stiffness):
        return odeint(pendulum, y0, t, (damping, stiffness), **TIGHT)

    check_derivatives(solution, Y0, T, np.array(0.25), np.array([1.5])[0], rtol=1e-5)


def test_a_first_step_and_repeated_times():
    k = Tensor(np.array(0.5), requires_grad=True)
    times = [0.0, 1.0, 1.0, 2.0]
    y = odeint(lambda y, t, k: -k * y, [1.0], times, (k,), h0=0.01, hmax=0.5, **TIGHT)
    y.sum().backward()
    assert k.grad == pytest.approx(-2 * np.exp(-0.5) - 2 * np.exp(-1.0), rel=1e-8)


def test_complex_arguments_are_rejected():
    k = Tensor(np.array(0.5j), requires_grad=True)
    with pytest.raises(TypeError, match=r"odeint\(\) got complex numbers"):
        odeint(lambda y, t, k: np.real(k) * y, [1.0], [0.0, 1.0], (k,))


def test_derivatives_backwards_in_time_and_at_one_time(check_derivatives):
    check_derivatives(lambda y, t: odeint(linear, y, t, (A,), **TIGHT), Y0, T[::-1].copy())
    check_derivatives(lambda y, t: odeint(linear, y, t, (A,), **TIGHT), Y0, T[:1])


def test_second_derivatives_of_a_decay():
    k, y0 = (Tensor(np.array(v), requires_grad=True) for v in (0.7, 2.0))
    y = odeint(lambda y, t, k: -k * y, y0, [0.0, 1.5], (k,), **TIGHT)[1, 0]
    by_k, by_y0 = grad(y, (k, y0), create_graph=True)
    decayed = np.exp(-0.7 * 1.5)
    assert by_k.item() == pytest.approx(-1.5 * 2 * decayed, rel=1e-8)
    assert by_y0.item() == pytest.approx(decayed, rel=1e-8)
    second = grad(by_k, (k, y0))
    assert [g.item() for g in second] == pytest.approx(
        [1.5**2 * 2 * decayed, -1.5 * decayed], rel=1e-7
    )


def test_third_derivatives_of_a_decay():
    third = func.grad(
        func.grad(
            func.grad(
                lambda k: odeint(lambda y, t, k: -k * y, [2.0], [0.0, 1.5], (k,), **TIGHT)[1, 0]
            )
        )
    )
    assert third(np.array(0.7)).item() == pytest.approx(
        -(1.5**3) * 2 * np.exp(-0.7 * 1.5), rel=1e-6
    )


def test_the_default_tolerances_give_six_digits():
    a = Tensor(A, requires_grad=True)
    odeint(linear, Y0, T, (a,))[-1].backward(np.ones(2))
    expected = scipy.linalg.expm_frechet(2 * A.T, 2 * np.outer(np.ones(2), Y0), compute_expm=False)
    np.testing.assert_allclose(a.grad, expected, rtol=1e-6)


@pytest.mark.parametrize("rate", [20.0, 50.0, 500.0])
def test_a_fast_decay_which_cannot_be_integrated_backwards_in_one_piece(rate):
    # y' = -k (y - 1), so y = 1 - exp(-kt), and the derivative of y(0.2) by k is 0.2 exp(-0.2 k).
    k = Tensor(np.array(rate), requires_grad=True)
    y = odeint(lambda y, t, k: -k * (y - 1), [0.0], [0.0, 0.2, 1.0], (k,))
    y[1].sum().backward()
    assert k.grad == pytest.approx(0.2 * np.exp(-0.2 * rate), abs=1e-6)


def test_an_equation_that_is_too_unstable_raises_an_error():
    y0 = Tensor([1.0], requires_grad=True)
    y = odeint(lambda y, t: -1e7 * y, y0, [0.0, 1.0])
    with pytest.raises(RuntimeError, match=r"too unstable .* from t = 0\.\d+ back to t = 0\."):
        y[1].sum().backward()


def test_float32_stays_float32():
    k = Tensor(0.5, requires_grad=True)
    y0 = Tensor([1.0], requires_grad=True)
    y = odeint(lambda y, t, k: -k * y, y0, [0.0, 1.0], (k,))
    assert y.dtype == np.float32
    y.sum().backward()
    assert k.grad.dtype == y0.grad.dtype == np.float32
    assert k.grad == pytest.approx(-np.exp(-0.5), rel=1e-5)


def test_y0_may_be_a_list_of_tensors_and_numbers():
    angle = Tensor(np.array(0.3), requires_grad=True)
    y = odeint(pendulum, [angle, 0.0], T, (0.0, 1.0), **TIGHT)
    step = 1e-5
    moved = [
        scipy.integrate.odeint(pendulum, [0.3 + s, 0.0], T, (0.0, 1.0), **TIGHT)
        for s in (step, -step)
    ]
    expected = (moved[0] - moved[1])[-1, 0] / (2 * step)
    assert grad(y[-1, 0], angle).item() == pytest.approx(expected, rel=1e-6)


def test_arguments_that_are_not_tracked_are_passed_as_they_are():
    seen = []

    def recorded(y, t, k, name, table):
        seen.append((name, table["k"]))
        return -k * y

    k = Tensor(np.array(0.5), requires_grad=True)
    odeint(recorded, [1.0], [0.0, 1.0], (k, "name", {"k": 3}))[1].sum().backward()
    assert set(seen) == {("name", 3)}


@pytest.mark.parametrize("nested", [False, True])
def test_a_tracked_tensor_outside_of_args_raises_an_error(nested):
    k = Tensor(np.array([0.5]), requires_grad=True)
    args = ({"k": k},) if nested else ()

    def decay(y, t, parameters=None):
        return -(parameters["k"] if nested else k) * y

    with pytest.raises(ValueError, match=r"decay, the function .* tracked tensor .* args"):
        odeint(decay, Tensor(np.array([1.0])), [0.0, 1.0], args)
    with no_grad():
        assert odeint(decay, [1.0], [0.0, 1.0], args)[1, 0] == pytest.approx(np.exp(-0.5))


def test_a_function_that_does_not_use_its_arguments():
    y0, k = (Tensor(np.array([v]), requires_grad=True) for v in (1.0, 2.0))
    y = odeint(lambda y, t, k: np.array([3.0]), y0, [0.0, 2.0], (k,))
    y[1].sum().backward()
    assert (y.data[1], y0.grad, k.grad) == (pytest.approx(7), pytest.approx(1), pytest.approx(0))


def test_the_solution_works_without_autograd():
    program = """
import numpy as np
from tinytorch_core import Tensor
from tinytorch_special.integrate import odeint
y = odeint(lambda y, t: -y, Tensor([1.0]), [0.0, 1.0])
print(type(y).__name__, y.dtype, f"{y.data[1, 0]:.4f}")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "TINYTORCH_PLUGINS": "special"},
    )
    assert done.stdout == "Tensor float32 0.3679\n", done.stderr
