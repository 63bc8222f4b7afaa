"""`@hookimpl(stage=...)`: wrappers inside and outside of recording, whatever plugins are named."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins
from tinytorch_core.extend import from_array

from tinytorch_autograd import Function, MulBackward, detect_anomaly, grad


def wrapping(stage, wrap):
    """Return a plugin that wraps the op `mul`, and `linalg.inv`, in a stage."""

    @hookimpl(stage=stage)
    def tinytorch_wrap_op(op, call):
        return wrap(call) if op.name in ("mul", "linalg.inv") else None

    return SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op)


def rounded(call):
    """Round the result, inside of recording: the gradient is that of the exact product."""
    return lambda *args: from_array(Tensor, call(*args).data.round())


def doubled(call):
    """Double the result, outside of recording: the gradient doubles too."""
    return lambda *args: call(*args) + call(*args)


@pytest.fixture(params=[("aaa", "bbb"), ("aaa", "zzz"), ("zzz", "aaa"), ("yyy", "zzz")], ids=str)
def names(request):
    """Names before and after "autograd"."""
    return request.param


@pytest.fixture
def _wrapped(names):
    """Register a wrapper inside and one outside of recording under the names."""
    for name, plugin in zip(
        names, [wrapping("inside", rounded), wrapping("outside", doubled)], strict=True
    ):
        plugins.register(plugin, name=name)
    yield
    for name in names:
        plugins.unregister(name)


@pytest.mark.usefixtures("_wrapped")
class TestNamesDecideNothing:
    def test_results_and_gradients(self):
        x, y = Tensor([1.4, 2.6], requires_grad=True), Tensor([3.0, 0.3], requires_grad=True)
        out = x * y
        np.testing.assert_array_equal(out.data, [8, 2])  # 2 * round([4.2, 0.78])
        out.sum().backward()
        np.testing.assert_allclose(x.grad, 2 * y.data, rtol=1e-6)
        np.testing.assert_allclose(y.grad, 2 * x.data, rtol=1e-6)

    def test_second_derivatives(self):
        x = Tensor(np.array([1.4, 2.6]), requires_grad=True)
        slope = grad((x * x).sum(), x, create_graph=True)
        # Two recorded products, for each two products of the rule, which are doubled themselves.
        np.testing.assert_array_equal(slope.data, 8 * x.data.round())
        np.testing.assert_array_equal(grad(slope.sum(), x).data, [8, 8])

    def test_an_op_created_on_first_use(self):
        x = Tensor([[0.4]], requires_grad=True)
        out = np.linalg.inv(x)
        assert out.item() == 4  # 2 * round(2.5)
        out.backward()
        assert x.grad.item() == 2 * -(2**2)  # the rule computes with the output, which is 2

    def test_the_graph_has_the_op_once_for_each_call_of_the_outer_wrapper(self):
        x = Tensor([1.4], requires_grad=True)
        node = (x * 2).grad_fn
        products = node.next_functions
        assert type(node).__name__ == "AddBackward"
        assert [type(p).__name__ for p in products] == ["MulBackward", "MulBackward"]
        assert not any(isinstance(n, Function) for p in products for n in p.next_functions[:1])

    def test_anomaly_detection_is_part_of_recording(self):
        with detect_anomaly():
            x = Tensor([1.4], requires_grad=True)
            out = x * 3
            assert out.item() == 8
            out.backward()
            assert x.grad.item() == 6


def test_what_an_outside_wrapper_computes_is_differentiated_and_inside_is_not():
    def squared(call):
        return lambda x, y: call(x, y) ** 2

    gradients = {}
    for stage in ("inside", "outside"):
        plugins.register(wrapping(stage, squared), name="squaring")
        try:
            x = Tensor([3.0], requires_grad=True)
            out = x * 2
            assert out.item() == 36
            out.backward()
            gradients[stage] = x.grad.item()
        finally:
            plugins.unregister("squaring")
    assert gradients == {"inside": 2, "outside": 2 * 6 * 2}


def test_an_inside_wrapper_that_returns_a_tracked_tensor_is_an_error():
    plugins.register(wrapping("inside", lambda call: lambda x, y: call(x, y) + x), name="adding")
    try:
        x = Tensor([3.0], requires_grad=True)
        with pytest.raises(TypeError, match=r'of mul .*like wrappers with stage="inside"; '):
            x * 2
    finally:
        plugins.unregister("adding")


def test_nodes_created_by_hand_are_not_changed_by_wrappers_of_a_disabled_plugin():
    failing = wrapping("inside", lambda call: lambda x, y: 1 / 0)
    plugins.register(failing, name="failing")
    try:
        with pytest.raises(ZeroDivisionError):
            Tensor([1.0], requires_grad=True) * 2
    finally:
        plugins.unregister("failing")
    node = MulBackward(Tensor([3.0]), Tensor([4.0]))
    assert [grad.item() for grad in node.apply(np.ones(1))] == [4, 3]
