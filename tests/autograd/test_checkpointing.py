"""checkpoint gives the same gradients with less memory, also for captured tensors."""

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import (
    AutogradError,
    GraphFreedError,
    LostGradientError,
    NoRuleError,
    checkpoint,
    func,
    grad,
    is_grad_enabled,
    no_grad,
)

from .checks import tracked


@pytest.fixture
def leaves():
    random = np.random.default_rng(0)
    return [tracked(random.normal(size=s)) for s in ((4, 3), (3, 3), (3,))]


def layer(h, w, b):
    return np.tanh(h @ w + b)


def direct_call(f, *args, **kwargs):
    return f(*args, **kwargs)


def nested(call):
    """Return a function of nested layers, each called by `call`."""

    def block(h, w, b):
        return call(layer, call(layer, h, w, b), w, b) * 2

    return lambda h, w, b: call(block, call(block, h, w, b), w, b).sum()


CHAINS = {
    "arguments": lambda call: lambda h, w, b: call(layer, h, w, b).sum(),
    "nested": nested,
    "captured": lambda call: lambda h, w, b: call(lambda h: layer(h, w, b) * h, h).sum(),
    "captured only": lambda call: lambda h, w, b: call(lambda n: layer(h, w, b) * n, 2).sum(),
    "captured and given": lambda call: lambda h, w, b: call(lambda x: x @ w * h + b, h).sum(),
    "the same twice": lambda call: lambda h, w, b: call(lambda x, y: x * y * b, h, h).sum(),
    "one captured through another": lambda call: (
        lambda h, w, b: (lambda g: call(lambda x: (x @ w) * g + w.sum(), h).sum())(
            np.exp(h @ w + b)
        )
    ),
    "containers": lambda call: (
        lambda h, w, b: call(lambda p: {"y": [layer(p["h"], *p["wb"])]}, {"h": h, "wb": (w, b)})[
            "y"
        ][0].sum()
    ),
    "several outputs": lambda call: (
        lambda h, w, b: (lambda p, q, n: (p * p).sum() + q.sum() * n)(
            *call(lambda h, k: (h @ w, np.sin(h) + b, k), h, 3)
        )
    ),
    "an unused output": lambda call: lambda h, w, b: call(lambda h: (h @ w + b, h * 2), h)[0].sum(),
    "keywords": lambda call: lambda h, w, b: call(layer, h, b=b, w=w).sum(),
    "an argument itself": lambda call: lambda h, w, b: (call(lambda h: h, h) @ w + b).sum(),
}
every_chain = pytest.mark.parametrize("chain", CHAINS)


@every_chain
def test_first_and_second_derivatives_equal_those_without_it(chain, leaves):
    plain, checkpointed = CHAINS[chain](direct_call), CHAINS[chain](checkpoint)
    found = []
    for f in (plain, checkpointed):
        first = grad(f(*leaves), leaves, allow_unused=True)
        slopes = grad(f(*leaves), leaves, create_graph=True, allow_unused=True)
        curvature = sum((s * s).sum() for s in slopes if s is not None)
        found.append([*first, *grad(curvature, leaves, create_graph=True, allow_unused=True)])
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.data, b.data, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("chain", ["nested", "captured"])
def test_third_derivatives_equal_those_without_it(chain, leaves):
    found = []
    for call in (direct_call, checkpoint):
        total = CHAINS[chain](call)(*leaves)
        for _ in range(2):
            total = sum((g * g).sum() for g in grad(total, leaves, create_graph=True))
        found.append([g.data for g in grad(total, leaves)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_transforms_of_a_checkpointed_function(leaves):
    x, w, _ = (leaf.data for leaf in leaves)
    f = checkpoint(lambda x: np.sin(x @ w))
    g = lambda x: np.sin(x @ w)  # noqa: E731
    v = np.ones_like(x)
    for transform in (
        lambda f: func.hvp(lambda x: f(x).sum())(x, v),
        lambda f: func.jvp(f, (x,), (v,))[1],
        lambda f: func.jacobian(f)(x),
        lambda f: func.hessian(lambda x: f(x).sum())(x),
    ):
        np.testing.assert_allclose(transform(f).data, transform(g).data, atol=1e-12)


def test_as_a_decorator_it_keeps_the_name(leaves):
    @checkpoint
    def wide(h, w, b):
        """A layer."""
        return layer(h, w, b)

    assert (wide.__name__, wide.__doc__) == ("wide", "A layer.")
    y = wide(*leaves)
    assert repr(y.grad_fn) == "<CheckpointWideBackward output 0>"
    y.sum().backward()
    assert all(leaf.grad is not None for leaf in leaves)


def test_backward_accumulates_and_the_graph_is_freed(leaves):
    y = checkpoint(layer, *leaves).sum()
    y.backward(retain_graph=True)
    once = leaves[0].grad.copy()
    y.backward()
    np.testing.assert_allclose(leaves[0].grad, 2 * once)
    with pytest.raises(GraphFreedError, match="Sum"):
        y.backward()
    z = checkpoint(layer, *leaves)
    z.sum().backward()
    with pytest.raises(GraphFreedError, match="CheckpointLayer"):
        z.sum().backward()


def test_the_function_runs_once_forward_and_once_backward():
    calls = []

    def f(x):
        calls.append(is_grad_enabled())
        return x * x

    x = tracked([1, 2])
    y = checkpoint(f, x)
    assert len(calls) == 1
    y.sum().backward()
    assert calls == [True, True]


def test_hooks_run_once(leaves):
    seen = []
    h, w, b = leaves
    w.register_hook(lambda g: seen.append("w"))
    inner = h * 1
    inner.register_hook(lambda g: seen.append("inner"))
    checkpoint(lambda x: layer(x, w, b) * inner, h).sum().backward()
    assert sorted(seen) == ["inner", "w"]


def test_it_is_a_direct_call_if_nothing_is_recorded(leaves):
    with no_grad():
        assert not checkpoint(layer, *leaves).requires_grad
    assert not checkpoint(layer, *[leaf.detach() for leaf in leaves]).requires_grad


def test_no_grad_inside_the_function_applies_to_both_runs():
    x = tracked([3.0])

    def f(x):
        with no_grad():
            constant = x * 10
        return constant * x

    checkpoint(f, x).backward()
    assert x.grad.tolist() == [30.0]


class TestRandomNumbers:
    def dropped(self, draw):
        def f(x, *args):
            return x * (draw(*args, x.shape) > 0.5)

        return f

    def test_of_the_global_state_are_repeated(self):
        x = tracked(np.ones(1000))
        y = checkpoint(self.dropped(lambda shape: np.random.random(shape)), x)  # noqa: NPY002
        after = np.random.get_state(legacy=False)  # noqa: NPY002
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, y.data)
        np.testing.assert_equal(np.random.get_state(legacy=False), after)  # noqa: NPY002

    def test_of_a_generator_among_the_arguments_are_repeated(self):
        x, random = tracked(np.ones(1000)), np.random.default_rng(0)
        f = self.dropped(lambda generator, shape: generator.random(shape))
        first, second = checkpoint(f, x, random), checkpoint(f, x, random)
        assert (first.data != second.data).any()
        (first + 10 * second).sum().backward()
        np.testing.assert_array_equal(x.grad, first.data + 10 * second.data)

    def test_of_a_generator_that_the_function_refers_to_are_repeated(self):
        class Dropout:
            def __init__(self, generator):
                self.parts = {"generator": [generator]}

            def __call__(self, x):
                return x * (self.parts["generator"][0].random(x.shape) > 0.5)

            def method(self, x):
                return self(x)

        x, random = tracked(np.ones(1000)), np.random.default_rng(0)
        held = Dropout(np.random.default_rng(1))
        for f in (self.dropped(lambda shape: random.random(shape)), held, held.method):
            x.zero_grad()
            y = checkpoint(f, x)
            after = random.bit_generator.state, held.parts["generator"][0].bit_generator.state
            y.sum().backward()
            np.testing.assert_array_equal(x.grad, y.data)
            assert after[0] == random.bit_generator.state
            assert after[1] == held.parts["generator"][0].bit_generator.state

    def test_of_the_generators_of_many_layers_are_repeated(self):
        layers = [
            {"p": {"keep": 0.5}, "own": {"random": np.random.default_rng(i)}} for i in range(9)
        ]

        def net(x, layers):
            for layer in layers:
                x = x + (layer["own"]["random"].random(x.shape) > layer["p"]["keep"]) * x
            return x

        x = tracked(np.ones(100))
        y = checkpoint(net, x, layers)
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, y.data)

    def test_of_a_source_that_cannot_be_reset_raise(self):
        x, source = tracked(np.ones(1000)), iter(np.random.default_rng(0).random((9, 1000)))
        y = checkpoint(self.dropped(lambda shape: next(source)), x)
        with pytest.raises(
            AutogradError, match=r"other values than in the forward pass.*Generator"
        ):
            y.sum().backward()
        assert x.grad is None


def test_an_op_without_a_rule_inside_raises():
    x = tracked([1, 2, 3])
    y = checkpoint(lambda x: np.setdiff1d(x, [0]), x)
    with pytest.raises(NoRuleError, match="setdiff1d"):
        y.sum().backward()


def test_dropping_the_result_frees_everything():
    gc.disable()
    try:
        x = tracked(np.ones(10))
        h = x * 2
        y = checkpoint(lambda h: np.exp(h) * x, h)
        parts = [weakref.ref(o) for o in (h.grad_fn, y, y.grad_fn, h.data)]
        del h, y
        assert [p for p in parts if p() is not None] == []
    finally:
        gc.enable()


def test_checkpoints_need_a_fraction_of_the_memory():
    def held(call):
        random = np.random.default_rng(0)
        w = tracked(random.normal(size=(32, 32)) / 6)

        def group(h):
            for _ in range(7):
                h = np.tanh(h @ w) * 1.5
            return h

        h = tracked(np.ones((64, 32)))
        tracemalloc.start()
        for _ in range(7):
            h = call(group, h)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size

    assert held(checkpoint) < held(direct_call) / 5


@pytest.mark.parametrize("store", [list.append, lambda kept, y: kept[0].__setitem__(0, y)])
def test_a_stored_result_that_is_not_returned_raises(store):
    kept = [Tensor(np.zeros((1, 2)))]
    w = tracked([2.0, 3.0])

    def stores(w):
        store(kept, w * 2)
        return w * 3

    y = checkpoint(stores, w)
    with pytest.raises(LostGradientError, match=r"stores, .* Return the tensor"):
        (y.sum() + (kept[-1] * kept[-1]).sum()).backward()
    assert w.grad is None
    checkpoint(stores, w).sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_a_hook_on_an_argument():
    def hooked(x):
        x.register_hook(lambda grad: grad * factor)
        return x * x

    for number, factor in ((2.0, 3.0), (2.0 + 1j, 3j)):
        x = tracked([number], type(number))
        checkpoint(hooked, x).backward(np.ones(1))
        np.testing.assert_array_equal(x.grad, 2 * np.conj(x.data) * factor)


def test_checkpoints_in_several_threads():
    found = {}

    def work(i):
        x = tracked([1.0 * i])
        for _ in range(10):
            x.zero_grad()
            checkpoint(lambda x: np.exp(x) * x, x).sum().backward()
        found[i] = x.grad[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert found[i] == pytest.approx(np.exp(i) * (1 + i))


@pytest.mark.peers
def test_gradients_equal_those_of_pytorch(torch, leaves):
    from torch.utils.checkpoint import checkpoint as theirs

    CHAINS["captured"](checkpoint)(*leaves).backward()
    h, w, b = (torch.tensor(leaf.data, requires_grad=True) for leaf in leaves)
    theirs(lambda h: torch.tanh(h @ w + b) * h, h, use_reentrant=False).sum().backward()
    for ours, other in zip(leaves, (h, w, b), strict=True):
        np.testing.assert_allclose(ours.grad, other.grad.numpy(), rtol=1e-12)
