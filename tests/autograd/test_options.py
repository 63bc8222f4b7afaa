"""Tensors as options of ops: untracked ones are unwrapped, and tracked ones are refused."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import (
    LostGradientError,
    NoRuleError,
    custom_gradient,
    detect_anomaly,
    func,
    grad,
    no_grad,
)

THREE = Tensor(3.0)
TRACKED = Tensor(3.0, requires_grad=True)


def both(grads, k):
    return sum(g * by for g, by in zip(grads, (k, 1), strict=True) if g is not None)


# The forward function of each op, and its rule if it has one.
OPS = {
    "scaled": (lambda x, k=1.0: x * k, lambda grad, k: grad * k),
    "scaled_by_item": (lambda x, k=(1.0,): x * k[0], lambda grad, k: grad * k[0]),
    "scaled_and_moved": (lambda x, k=1.0: (x * k, x + k), both),
    "total": (lambda *arrays, k=1.0: sum(arrays) * k, lambda grad, arrays, k: [grad * k] * 2),
    "unknown": (lambda x, k=1.0: x * k, None),
    "capturing": (lambda x: x * THREE, lambda grad: grad * 3),
    "capturing_tracked": (lambda x, k=1.0: (x * TRACKED, x), lambda grads: grads[1]),
}


@hookimpl
def tinytorch_register_ops(ops):
    for name, (forward, _) in OPS.items():
        ops.add(name, forward, method=name != "total")


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules):
    for name, (_, rule) in OPS.items():
        if rule is not None:
            rules.add(name, rule)


@hookimpl
def tinytorch_wrap_op(op, call):
    return (lambda *args, **kwargs: call(*args, **kwargs)) if op.name in OPS else None


@contextmanager
def registered(**hooks):
    plugin = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_register_backward=tinytorch_register_backward,
        **hooks,
    )
    plugins.register(plugin, name="options")
    try:
        yield
    finally:
        plugins.unregister("options")


@pytest.fixture(params=["recorded directly", "wrapped", "watched for anomalies"])
def ops(request):
    """Register the ops, whose calls are generated differently if another plugin wraps them."""
    wrapping = {"tinytorch_wrap_op": tinytorch_wrap_op} if request.param == "wrapped" else {}
    with registered(**wrapping):
        if request.param == "watched for anomalies":
            with detect_anomaly():
                yield
        else:
            yield


def total(x, k):
    return Tensor._calls["total"](x, x, k=k)


CALLS = {
    "by position": (lambda x, k: x.scaled(k), 3),
    "by keyword": (lambda x, k: x.scaled(k=k), 3),
    "in a tuple": (lambda x, k: x.scaled_by_item((k,)), 3),
    "several outputs": (lambda x, k: sum(x.scaled_and_moved(k)), 4),
    "a variadic op": (total, 6),
    "a 0-d input": (lambda x, k: x.sum().scaled(k), 3),
}


@pytest.mark.usefixtures("ops")
@pytest.mark.parametrize("name", CALLS)
def test_an_untracked_tensor_is_a_constant(name):
    call, slope = CALLS[name]
    x = Tensor([1.0, 2.0], requires_grad=True)
    (call(x, THREE) + x).sum().backward()
    factor = 2 if name == "a 0-d input" else 1  # broadcast over two elements
    assert x.grad.tolist() == [factor * slope + 1] * 2


@pytest.mark.usefixtures("ops")
@pytest.mark.parametrize("name", CALLS)
def test_a_tracked_tensor_is_refused_by_name(name):
    call, _ = CALLS[name]
    x = Tensor([1.0, 2.0], requires_grad=True)
    message = r"^(scaled\w*|total)\(\) takes k as a constant.*requires grad.*k\.detach\(\).*input"
    with pytest.raises(LostGradientError, match=message):
        call(x, TRACKED)
    with no_grad():
        results = call(x, TRACKED)
    assert not results.requires_grad


@pytest.mark.usefixtures("ops")
def test_what_is_saved_for_the_rule_is_an_array():
    y = Tensor([1.0], requires_grad=True).scaled(THREE)
    assert [type(value) for value in y.grad_fn.saved] == [np.ndarray]


@pytest.mark.usefixtures("ops")
def test_second_derivatives():
    hessian = func.hessian(lambda x: (x * x).scaled(THREE).sum())(np.array([1.0, 2.0]))
    assert hessian.data.tolist() == [[6.0, 0.0], [0.0, 6.0]]


@pytest.mark.usefixtures("ops")
def test_an_op_without_rule_raises_in_backward_whatever_the_option_is():
    x = Tensor([1.0], requires_grad=True)
    for k in (THREE, TRACKED):
        with pytest.raises(NoRuleError, match="unknown"):
            x.unknown(k).backward()


@pytest.mark.usefixtures("ops")
def test_a_forward_function_must_not_capture_a_tracked_tensor():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"capturing_tracked returned a Tensor.*input of the op"):
        x.capturing_tracked()


def test_a_forward_function_that_returns_a_tensor_is_refused():
    with registered(), pytest.raises(TypeError, match=r"capturing returned a Tensor"):
        Tensor([1.0], requires_grad=True).capturing()


@pytest.mark.usefixtures("ops")
def test_without_autograd_an_option_may_be_a_tensor():
    with plugins.disable("autograd"):
        assert Tensor([1.0, 2.0]).scaled(THREE).tolist() == [3.0, 6.0]


OF_NUMPY = {
    "np.fft.fft": ("norm", lambda x, t: np.fft.fft(x, norm=t)),
    "np.linalg.pinv": ("rcond", lambda x, t: np.linalg.pinv(x.reshape(1, 2), rcond=t)),
    "by position": ("rcond", lambda x, t: np.linalg.pinv(x.reshape(1, 2), t)),
}


@pytest.mark.parametrize("name", OF_NUMPY)
def test_a_tracked_option_of_a_numpy_function_is_refused_by_name(name):
    option, call = OF_NUMPY[name]
    with pytest.raises(LostGradientError, match=rf"takes {option} as a constant"):
        call(Tensor([1.0, 2.0], requires_grad=True), Tensor(0.1, requires_grad=True))


X = np.array([[0.5, 2.0, -1.0, 0.3], [1.5, 0.2, 0.7, -0.4]])


def test_frequencies_of_a_covariance_have_the_gradient_of_repeated_columns():
    counts = np.array([1.0, 2.0, 1.0, 3.0])
    w = Tensor(counts, requires_grad=True)
    found = grad(np.cov(X, fweights=w)[0, 1], w)

    def covariance(w):  # the textbook formula
        centred = X - (X * w).sum(axis=1, keepdims=True) / w.sum()
        return (centred[0] * centred[1] * w).sum() / (w.sum() - 1)

    step = 1e-6
    expected = [
        (covariance(counts + e) - covariance(counts - e)) / (2 * step) for e in step * np.eye(4)
    ]
    np.testing.assert_allclose(found.data, expected, rtol=1e-8)


def test_a_keyword_argument_of_a_custom_gradient_is_refused_by_name():
    @custom_gradient
    def scaled(x, by=1.0):
        return x * by, lambda grad: grad * by

    x = Tensor([2.0], requires_grad=True)
    with pytest.raises(LostGradientError, match=r"scaled got the keyword argument by.*by position"):
        scaled(x, by=TRACKED)
    scaled(x, by=THREE).backward()
    assert x.grad.tolist() == [3.0]
