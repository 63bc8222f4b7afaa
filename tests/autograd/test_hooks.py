"""Hooks on tensors see the complete gradient, may replace it, and can be removed."""

import gc
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import ModifiedError, UntrackedError, grad

from .checks import tracked


def test_a_hook_sees_the_sum_over_all_uses_once():
    seen = []
    x = tracked([1, 2])
    h = x * 3
    h.register_hook(lambda g: seen.append(g.tolist()))
    (h * h + h).sum().backward()
    assert seen == [[7.0, 13.0]]


def test_a_hook_on_a_leaf_sees_the_gradient_of_one_pass():
    seen = []
    x = tracked([2])
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 3).backward()
    (x * 4).backward()
    assert seen == [[3.0], [4.0]]
    assert x.grad.tolist() == [7.0]


@pytest.mark.parametrize("kind", [np.asarray, Tensor])
def test_its_result_replaces_the_gradient(kind):
    x = tracked([2])
    h = x * 3
    h.register_hook(lambda g: kind(g * 10))
    x.register_hook(lambda g: kind(g + 1))
    (h * 5).backward()
    assert x.grad.tolist() == [151.0]
    assert isinstance(x.grad, np.ndarray)


def test_hooks_run_in_order_and_before_retain_grad():
    x = tracked([2])
    h = x * 1
    h.retain_grad()
    h.register_hook(lambda g: g + 1)
    h.register_hook(lambda g: g * 10)
    h.backward()
    assert h.grad.tolist() == [20.0]
    assert x.grad.tolist() == [20.0]


def test_a_handle_removes_its_own_hook_only():
    x = tracked([2])
    first, second = (x.register_hook(lambda g, by=by: g * by) for by in (10, 100))
    first.remove()
    first.remove()
    (x * 1).backward()
    assert x.grad.tolist() == [100.0]
    second.remove()
    x.zero_grad()
    with x.register_hook(lambda g: g * 7) as handle:
        (x * 1).backward()
    (x * 1).backward()
    handle.remove()
    assert x.grad.tolist() == [8.0]


def test_one_function_registered_twice_runs_twice_and_is_removed_once():
    def double(g):
        return g * 2

    x = tracked([1])
    handle = x.register_hook(double)
    x.register_hook(double)
    handle.remove()
    (x * 1).backward()
    assert x.grad.tolist() == [2.0]


def test_a_float64_result_for_a_float32_gradient_is_converted():
    x = Tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_hook(lambda g: g * np.array([2.0, 3.0]))
    x.register_hook(lambda g: seen.append(g.dtype))
    (x * x).sum().backward()
    assert seen == [np.float32]
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [4.0, 12.0]


def test_with_create_graph_a_hook_sees_tensors_and_is_differentiated():
    seen = []

    def square(g):
        seen.append(type(g))
        return g * g

    x = tracked([2])
    h = x * 1
    with h.register_hook(square):
        slope = grad(h**3, x, create_graph=True)  # (3 x**2)**2
    assert seen == [Tensor]
    assert slope.tolist() == [144.0]
    assert grad(slope, x).tolist() == [36 * 8.0]


def test_a_hook_cannot_write_into_the_gradient():
    def write(g):
        g *= 2

    x, y = tracked([1, 2]), tracked([1, 2])
    x.register_hook(write)
    with pytest.raises(ValueError, match="read-only"):
        (x + y).sum().backward()
    assert (x.grad, y.grad) == (None, None)


def test_returning_or_keeping_the_gradient_changes_nothing():
    kept = []
    x, y = tracked([1, 2]), tracked([1, 2])
    x.register_hook(lambda g: kept.append(g) or g)
    (x + y).sum().backward()
    x.grad += 5
    assert (kept[0].tolist(), y.grad.tolist()) == ([1, 1], [1, 1])


@pytest.mark.parametrize(
    ("hook", "error", "words"),
    [
        (lambda g: g[:1], ValueError, [r"lambda", r"\(1,\)", r"\(3,\)"]),
        (lambda g: 2.0, TypeError, ["lambda", "float", "2.0", r"\(3,\)"]),
        (lambda g: [1.0, 2.0, 3.0], TypeError, ["list"]),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_wrong_result_names_the_hook(hook, error, words, create_graph):
    x = tracked([1, 2, 3])
    x.register_hook(hook)
    with pytest.raises(error) as caught:
        grad((x * x).sum(), x, create_graph=create_graph)
    for word in words:
        caught.match(word)


def test_hooks_need_a_tracked_tensor_and_a_function():
    with pytest.raises(UntrackedError, match=r"\(1,\)"):
        Tensor([1.0]).register_hook(print)
    with pytest.raises(TypeError, match="'clip'"):
        tracked([1]).register_hook("clip")


def test_a_handle_does_not_keep_the_graph_alive():
    gc.disable()
    try:
        x = tracked([1, 2])
        h = x * 2
        node = weakref.ref(h.grad_fn)
        handle = h.register_hook(lambda g: None)
        del h
        assert node() is None
        handle.remove()
    finally:
        gc.enable()


@pytest.mark.peers
def test_gradients_equal_those_of_pytorch(torch):
    found = {}
    for name, make in (
        ("torch", lambda: torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)),
        ("ours", lambda: tracked([1, 2])),
    ):
        x = make()
        h = x * x
        h.retain_grad()
        h.register_hook(lambda g: g * 2)
        x.register_hook(lambda g: g + 1)
        (h * h).sum().backward()
        found[name] = (x.grad.tolist(), h.grad.tolist())
    assert found["ours"] == found["torch"]


def test_the_hook_of_a_leaf_runs_before_older_ops_are_differentiated():
    order = []
    a, b, c = (Tensor([i + 1.0], requires_grad=True) for i in range(3))
    h = a * 2
    for name, x in {"a": a, "b": b, "c": c, "h": h}.items():
        x.register_hook(lambda grad, name=name: order.append((name, grad.item())))
    # b is used twice, so its gradient is complete after the older use.
    ((h * b) * c * b).backward()
    assert order == [("c", 8.0), ("b", 24.0), ("h", 12.0), ("a", 24.0)]


def test_the_hook_of_a_leaf_must_not_write_into_what_older_ops_need():
    a, b, factor = tracked([1]), tracked([2]), Tensor([3.0])

    def write(grad):
        factor[0] = 7.0

    h = a * factor
    b.register_hook(write)
    with pytest.raises(ModifiedError):
        (h * b).backward()
