"""The backward pass visits each node once, does not recurse, and frees the graph."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tests.together import together
from tinytorch_autograd import LostGradientError, engine, grad
from tinytorch_autograd.debug.numerical import random_weights
from tinytorch_autograd.node import Function, functions

from .cases import CASES


@pytest.fixture
def rule_calls(monkeypatch):
    """Return a list that receives the class name of each node in a backward pass."""
    calls = []

    def counting(rule):
        def gradients(self, grad):
            calls.append(type(self).__name__)
            return rule(self, grad)

        return gradients

    # The classes that an earlier test has created, and those that are created on first use.
    for kind in {*Function.__subclasses__(), *(create() for create in functions.values())}:
        if "gradients" in vars(kind):
            monkeypatch.setattr(kind, "gradients", counting(kind.gradients))
    return calls


def engine_lines(function):
    """Count the lines of the engine that run during a call."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename != engine.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def doubled(x, times):
    for _ in range(times):
        x = x + x
    return x


def residual(h, depth):
    for _ in range(depth):
        h = h + np.maximum(h, 0) * 0.01
    return h


def test_doubling_forty_times_takes_forty_steps(rule_calls):
    x = Tensor(1.0, requires_grad=True)
    doubled(x, 40).backward()
    assert x.grad == 2.0**40
    assert rule_calls == ["AddBackward"] * 40


def test_a_residual_chain_of_depth_10000_takes_three_steps_each(rule_calls):
    depth = 10_000
    x = Tensor(np.array([1.0, -1.0]), requires_grad=True)
    residual(x, depth).sum().backward()
    np.testing.assert_allclose(x.grad, [1.01**depth, 1.0], rtol=1e-9)
    assert len(rule_calls) == 3 * depth + 1


@pytest.mark.parametrize("build", [doubled, residual])
@pytest.mark.parametrize("derivative", ["backward", "grad", "create_graph"])
def test_the_number_of_engine_steps_grows_linearly_with_depth(build, derivative):
    def work(depth):
        x = Tensor(np.array([1.0, -1.0]), requires_grad=True)
        y = build(x, depth).sum()
        if derivative == "backward":
            return engine_lines(y.backward)
        return engine_lines(lambda: grad(y, x, create_graph=derivative == "create_graph"))

    one, two, three = (work(depth) for depth in (50, 100, 150))
    assert three - two == two - one > 0


CHAIN = """
import numpy as np
from tinytorch_core import Tensor
import tinytorch_autograd

x = Tensor([1.0], requires_grad=True)
for traversed in (False, True):
    y = x
    for _ in range(400_000):
        y = -y
    if traversed:
        y.backward(retain_graph=True)
    del y
assert x.grad.tolist() == [1.0]
print("traversed and freed")
"""


@pytest.mark.parametrize("where", ["main thread", "thread"])
def test_a_very_long_chain_is_traversed_and_freed(where):
    """Run in another process, because a stack overflow would kill this one."""
    program = CHAIN
    if where == "thread":
        body = CHAIN.replace("400_000", "200_000")
        program = f"import threading\nt = threading.Thread(target=exec, args=({body!r}, {{}}))\n"
        program += "t.start()\nt.join()\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "traversed and freed\n", done.stderr


@pytest.fixture
def no_garbage_collector():
    """Disable the garbage collector, so that only reference counts free objects."""
    gc.disable()
    yield
    gc.enable()


def alive(references):
    return [reference for reference in references if reference() is not None]


def graph_of(tensor):
    """Return weak references to the tensor, its nodes, and the arrays that only they hold."""
    nodes, _ = engine.nodes_of([tensor.grad_fn])
    arrays = [tensor.data]
    for node in nodes:
        arrays += [value for value in node.saved if isinstance(value, np.ndarray)]
    leaves = [e.tensor() for n in nodes for e in n.edges if e is not None and hasattr(e, "tensor")]
    kept = {id(leaf.data) for leaf in leaves if leaf is not None}
    return [weakref.ref(o) for o in (tensor, *nodes, *arrays) if id(o) not in kept]


def two_layers():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    w = Tensor(np.ones((3, 4)), requires_grad=True)
    h = np.tanh(x @ w)
    return [x, w], (h * h + h).sum()


@pytest.mark.usefixtures("no_garbage_collector")
class TestDroppingTheLoss:
    def test_frees_the_graph_before_any_backward_pass(self):
        leaves, loss = two_layers()
        parts = graph_of(loss)
        assert len(parts) > 8
        del loss
        assert alive(parts) == []
        assert [x.grad for x in leaves] == [None, None]

    @pytest.mark.parametrize("retain_graph", [False, True])
    def test_frees_the_graph_after_a_backward_pass(self, retain_graph):
        leaves, loss = two_layers()
        parts = graph_of(loss)
        loss.backward(retain_graph=retain_graph)
        del loss
        assert alive(parts) == []
        assert all(x.grad is not None for x in leaves)

    def test_frees_the_graph_of_higher_derivatives(self):
        leaves, loss = two_layers()
        slopes = grad(loss, leaves, create_graph=True)
        curvature = grad(sum((s * s).sum() for s in slopes), leaves, create_graph=True)
        parts = [*graph_of(loss), *(p for s in (*slopes, *curvature) for p in graph_of(s))]
        del loss, slopes, curvature
        assert alive(parts) == []

    def test_frees_retained_gradients_and_intermediate_tensors(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        h = x * 2
        h.retain_grad()
        loss = (h * h).sum()
        loss.backward()
        parts = [weakref.ref(h), weakref.ref(h.grad), weakref.ref(h.grad_fn), weakref.ref(loss)]
        del h, loss
        assert alive(parts) == []

    @together("case", CASES)
    def test_leaves_no_cycle_in_any_op(self, case):
        inputs = [Tensor(a, requires_grad=True) for a in case.arrays]
        weight, (direction,) = random_weights(case.function, case.arrays, 1)
        out = case.function(*inputs)
        slopes = grad(out, inputs, weight, create_graph=True, allow_unused=True)
        parts = [weakref.ref(out), weakref.ref(out.grad_fn)]
        for s, v in zip(slopes, direction, strict=True):
            if s is not None and s.requires_grad:
                parts += [weakref.ref(s), weakref.ref(s.grad_fn)]
                grad(s, inputs, v, create_graph=True, allow_unused=True)
        del out, slopes, s
        assert alive(parts) == []

    @pytest.mark.parametrize(
        ("scaled", "slope"),
        [
            (lambda h: h * 0.25, 0.25),
            (lambda h: 0.25 * h, 0.25),
            (lambda h: (h / 4.0) + 0, 0.25),
            (lambda h: h**2.0 + 0, 6),
        ],
        ids=["mul", "mul reflected", "div", "pow"],
    )
    def test_arrays_that_only_the_gradient_of_a_number_would_need_are_not_kept(self, scaled, slope):
        x = Tensor(np.full(3, 2.0), requires_grad=True)
        h = x + 1
        out = scaled(h)
        held = [
            v
            for n in engine.nodes_of([out.grad_fn])[0]
            for v in n.saved
            if isinstance(v, np.ndarray)
        ]
        assert all(array is h.data for array in held)  # that of h**2
        assert len(held) == (slope == 6)
        (first,) = grad(out.sum(), [x], create_graph=True)
        np.testing.assert_array_equal(first.data, np.full(3, slope))

    @pytest.mark.parametrize("number", [0.5, 0.5 + 0j, 2])
    def test_a_product_with_a_number_keeps_complex_gradients(self, number):
        x = Tensor(np.array([1.0 + 2j]), requires_grad=True)
        (x * number * np.array([3j])).real.sum().backward()
        np.testing.assert_allclose(x.grad, np.conj(number * 3j))

    def test_frees_a_graph_whose_leaves_are_gone(self):
        loss = two_layers()[1]
        loss.backward(retain_graph=True)
        parts = graph_of(loss)
        del loss
        assert alive(parts) == []


def test_a_backward_pass_frees_saved_arrays_of_living_tensors():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    saved = [weakref.ref(h.data), weakref.ref(h.grad_fn)]
    product = h * h
    loss = product.sum()
    del h
    assert len(alive(saved)) == 2
    loss.backward()
    assert alive(saved) == []
    assert loss.requires_grad
    assert product.requires_grad


def test_a_backward_pass_frees_only_the_nodes_it_traversed():
    x = Tensor([2.0], requires_grad=True)
    y = Tensor([3.0], requires_grad=True)
    loss = x * x + y * y
    grad(loss, x, retain_graph=True)
    loss.backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([4.0], [6.0])


def test_untracked_computation_keeps_no_graph():
    x = Tensor([1.0])
    h = x * 2
    middle = weakref.ref(h)
    y = h * h
    del h
    assert middle() is None
    assert y.grad_fn is None


def test_an_op_saves_only_what_its_rule_needs():
    """`x + 1` must not keep `x` alive."""
    x = Tensor([1.0], requires_grad=True)
    h = x * 2
    array = weakref.ref(h.data)
    y = (h + 1).reshape(1, 1).sum()
    del h
    assert array() is None
    y.backward()
    assert x.grad.tolist() == [2.0]


def test_threads_run_backward_passes_concurrently():
    shared = Tensor(np.arange(3.0), requires_grad=True)
    found = {}

    def work(factor):
        for _ in range(50):
            found[factor] = grad((shared * shared).sum() * factor, shared).tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: [0.0, 2.0 * i, 4.0 * i] for i in range(4)}


@pytest.mark.parametrize("others", [False, True], ids=["of this thread", "also of another one"])
def test_thousands_of_stops_are_remembered_in_bounded_memory(monkeypatch, others):
    """However many times autograd was disabled, a graph knows whether another thread did it."""
    monkeypatch.setattr(engine, "_stops", [])
    x = Tensor([1.0], requires_grad=True)
    first = x * 2
    if others:
        thread = threading.Thread(target=engine.note_stop)
        thread.start()
        thread.join()
    for _ in range(3000):
        engine.note_stop()
    assert len(engine._stops) <= 1000
    last = first * 3
    if others:
        with pytest.raises(LostGradientError, match="another thread"):
            last.backward()
    else:
        last.backward()
        assert x.grad.tolist() == [6.0]
    # A graph that is younger than the stops is not affected.
    (x * 2 * 3).backward()
