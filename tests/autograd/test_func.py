"""Transforms of functions agree with formulas, differences and JAX, alone and composed."""

import functools
import threading
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins
from tinytorch_core.extend import unwrap

from tinytorch_autograd import (
    AutogradError,
    NonScalarError,
    Variable,
    func,
    grad,
    no_grad,
    tree,
)

Line = namedtuple("Line", "slope offset")


def network(xp, p, x):
    """Return a scalar computed from nested parameters and an array."""
    h = xp.tanh(x @ p["first"].slope + p["first"].offset)
    return xp.mean((h @ p["last"][0] + p["last"][1]) ** 2)


def arguments(seed=0):
    random = np.random.default_rng(seed)
    parameters = {
        "first": Line(random.normal(size=(3, 4)), random.normal(size=4)),
        "last": [random.normal(size=(4, 2)), random.normal(size=())],
        "nothing": None,
    }
    return parameters, random.normal(size=(5, 3))


# name: a function of (xp, *args), its arguments; xp is NumPy or JAX's
SCALAR = {
    "one argument": (lambda xp, x: xp.sum(xp.sin(x) * x), [np.array([0.5, 1.5, -2.0])]),
    "0-d": (lambda xp, x: x**3 + xp.exp(x), [np.array(0.7)]),
    "one element": (lambda xp, x: xp.sum(x * x), [np.array([[3.0]])]),
    "several arguments": (
        lambda xp, x, y, z: xp.sum(x @ y) * xp.exp(z),
        [np.ones((2, 3)), np.arange(3.0), np.array(0.3)],
    ),
    "nested": (network, arguments()),
    "empty": (lambda xp, x, y: xp.sum(x) + y**2, [np.ones((0, 3)), np.array(2.0)]),
    "a tuple": (lambda xp, p: xp.sum(p[0] * p[1][0] ** 2), [(np.ones(2), [np.array(3.0)])]),
}

# name: a function of (xp, *args) with results of any structure, its arguments
VECTOR = {
    "elementwise": (lambda xp, x: xp.tanh(x), [np.array([0.5, 1.5, -2.0])]),
    "0-d": (lambda xp, x: xp.exp(x), [np.array(0.5)]),
    "matrices": (lambda xp, a, b: a @ b, [np.arange(6.0).reshape(2, 3), np.ones((3, 2))]),
    "a dict": (
        lambda xp, x, p: {"a": x * p["k"], "b": (xp.sum(x), p["k"] ** 2)},
        [np.array([1.0, 2.0]), {"k": np.array(3.0)}],
    ),
    "empty": (lambda xp, x: xp.exp(x), [np.ones((0, 2))]),
    "without the argument": (lambda xp, x, y: [x * 2, x + 1], [np.ones(2), np.ones(3)]),
}

every_scalar = pytest.mark.parametrize("name", SCALAR)
every_vector = pytest.mark.parametrize("name", VECTOR)


def ours(f):
    return functools.partial(f, np)


def close(found, expected, tolerance=1e-7):
    """Assert that two trees have the same structure, shapes and values; `found` holds arrays."""
    assert tree.outline(found) == tree.outline(expected)
    for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert isinstance(a, np.ndarray | np.generic)
        np.testing.assert_allclose(a, np.asarray(b), rtol=tolerance, atol=tolerance)
        assert a.shape == np.shape(b)


def slope(f, args, direction, step=1e-5):
    """Return the derivative of `f` along a direction, by differences."""

    def at(t):
        moved = [
            tree.fill(a, [x + t * v for x, v in zip(tree.leaves(a), tree.leaves(d), strict=True)])
            for a, d in zip(args, direction, strict=True)
        ]
        return f(*[tree.fill(m, [Tensor(x) for x in tree.leaves(m)]) for m in moved])

    up, down = at(step), at(-step)
    pairs = zip(tree.leaves(up), tree.leaves(down), strict=True)
    return tree.fill(up, [(unwrap(u) - unwrap(d)) / (2 * step) for u, d in pairs])


def random_like(args, seed=1):
    random = np.random.default_rng(seed)
    return [tree.fill(a, [random.normal(size=x.shape) for x in tree.leaves(a)]) for a in args]


def inner(a, b):
    pairs = zip(tree.leaves(a), tree.leaves(b), strict=True)
    return sum(float(np.sum(np.asarray(unwrap(x)) * np.asarray(unwrap(y)))) for x, y in pairs)


class TestAgainstDifferences:
    @every_scalar
    def test_grad_and_value_and_grad(self, name):
        f, args = SCALAR[name]
        numbers = tuple(range(len(args)))
        found = func.grad(ours(f), argnums=numbers)(*args)
        direction = random_like(args)
        expected = slope(ours(f), args, direction)
        assert inner(list(found), direction) == pytest.approx(float(expected), abs=1e-6)
        value, again = func.value_and_grad(ours(f), argnums=numbers)(*args)
        assert value == pytest.approx(float(f(np, *args)))
        close(again, found)

    @every_vector
    def test_jvp_vjp_and_jacobian(self, name):
        f, args = VECTOR[name]
        direction = random_like(args)
        expected = slope(ours(f), args, direction)
        value, pushed = func.jvp(ours(f), tuple(args), tuple(direction))
        close(pushed, expected)
        close(value, f(np, *args))
        value, pull = func.vjp(ours(f), *args)
        weights = random_like([value])[0]
        for _ in range(2):  # it can be called again
            pulled = pull(weights)
            assert inner(list(pulled), direction) == pytest.approx(inner(weights, expected))
        blocks = func.jacobian(ours(f), argnums=tuple(range(len(args))))(*args)
        rows = tree.leaves(blocks)
        total = sum(len(tree.leaves(a)) for a in args)
        for i, out in enumerate(tree.leaves(expected)):
            parts = zip(rows[i * total : (i + 1) * total], tree.leaves(direction), strict=True)
            along = sum(np.tensordot(b, np.asarray(v), axes=np.ndim(v)) for b, v in parts)
            np.testing.assert_allclose(along, out, atol=1e-7)

    @every_scalar
    def test_hessian_and_hvp(self, name):
        f, args = SCALAR[name]
        numbers = tuple(range(len(args)))
        direction = random_like(args)
        expected = slope(func.grad(ours(f), argnums=numbers), args, direction)
        found = func.hvp(ours(f), argnums=numbers)(*args, tuple(direction))
        close(found, expected)
        rows = iter(tree.leaves(func.hessian(ours(f), argnums=numbers)(*args)))
        for out in tree.leaves(expected):
            vectors = tree.leaves(direction)
            along = sum(np.tensordot(next(rows), v, axes=np.ndim(v)) for v in vectors)
            np.testing.assert_allclose(along, out, atol=1e-7)


@pytest.mark.peers("jax")
class TestAgainstJax:
    @pytest.fixture
    def jax(self):
        import jax

        with jax.enable_x64(True):
            yield jax

    @every_scalar
    def test_scalar_functions(self, jax, name):
        f, args = SCALAR[name]
        theirs = functools.partial(f, jax.numpy)
        numbers = tuple(range(len(args)))
        close(func.grad(ours(f), argnums=numbers)(*args), jax.grad(theirs, argnums=numbers)(*args))
        close(
            func.hessian(ours(f), argnums=numbers)(*args),
            jax.hessian(theirs, argnums=numbers)(*args),
        )

    @every_vector
    def test_vector_functions(self, jax, name):
        f, args = VECTOR[name]
        theirs = functools.partial(f, jax.numpy)
        numbers = tuple(range(len(args)))
        close(
            func.jacobian(ours(f), argnums=numbers)(*args),
            jax.jacrev(theirs, argnums=numbers)(*args),
        )
        direction = tuple(random_like(args))
        close(func.jvp(ours(f), tuple(args), direction), jax.jvp(theirs, tuple(args), direction))
        value, pull = func.vjp(ours(f), *args)
        weights = random_like([value])[0]
        close(
            pull(weights),
            jax.vjp(theirs, *args)[1](
                tree.fill(weights, map(jax.numpy.asarray, tree.leaves(weights)))
            ),
        )


class TestAgainstFormulas:
    def test_jacobian_of_a_linear_map_is_its_matrix(self):
        matrix = np.arange(6.0).reshape(2, 3)
        np.testing.assert_array_equal(func.jacobian(lambda x: matrix @ x)(np.ones(3)).data, matrix)

    def test_hessian_of_a_quadratic_form(self):
        matrix = np.array([[2.0, 1.0], [1.0, 4.0]])
        found = func.hessian(lambda x: x @ matrix @ x / 2)(np.array([1.0, 2.0]))
        np.testing.assert_allclose(found.data, matrix)

    def test_of_a_linear_function_the_hessian_is_zero(self):
        assert func.hessian(lambda x: x.sum())(np.ones(2)).tolist() == [[0, 0], [0, 0]]
        assert func.hvp(lambda x: x.sum())(np.ones(2), np.ones(2)).tolist() == [0, 0]

    def test_elementwise_grad_keeps_the_shape(self):
        x = np.linspace(-2, 2, 12).reshape(3, 4)
        np.testing.assert_allclose(func.elementwise_grad(np.tanh)(x).data, 1 - np.tanh(x) ** 2)
        second = func.elementwise_grad(func.elementwise_grad(np.sin))(x)
        np.testing.assert_allclose(second.data, -np.sin(x))

    def test_third_derivative_of_a_power(self):
        f = func.grad(func.grad(func.grad(lambda x: x**5)))
        assert f(np.float64(2.0)).item() == 240.0


def test_jvp_does_not_let_gradients_of_outputs_cancel():
    """The rule of sqrt treats a gradient of 0 as a special case."""
    x = np.array([4.0])
    _, (up, down) = func.jvp(lambda x: (np.sqrt(x), -np.sqrt(x)), (x,), (np.ones(1),))
    assert (up.tolist(), down.tolist()) == ([0.25], [-0.25])

    def shared(x):
        root = np.sqrt(x)
        return root * 1, -root

    _, (up, down) = func.jvp(shared, (x,), (np.ones(1),))
    assert (up.tolist(), down.tolist()) == ([0.25], [-0.25])


class TestNumPyFunctions:
    """Functions that do not use TinyTorch."""

    @pytest.mark.parametrize(
        ("f", "slope"),
        [
            (lambda x: np.sum(np.square(x)), lambda x: 2 * x),
            (lambda x: np.matmul(x, x) / len(x), lambda x: 2 * x / len(x)),
            (lambda x: np.log(np.sum(np.exp(x))), lambda x: np.exp(x) / np.exp(x).sum()),
            (lambda x: np.mean(np.where(x > 0, x, 0.1 * x)), lambda x: np.where(x > 0, 1, 0.1) / 3),
            (lambda x: np.prod(x), lambda x: np.prod(x) / x),
        ],
    )
    def test_are_differentiated(self, f, slope):
        x = np.array([0.5, -1.5, 2.0])
        np.testing.assert_allclose(func.grad(f)(x).data, slope(x))

    def test_loops_and_branches(self):
        def newton(a):
            x = a
            for _ in range(20):
                x = x - (x * x - a) / (2 * x)
                if abs(x * x - a) < 1e-12:
                    break
            return x

        assert func.grad(newton)(np.float64(2.0)).item() == pytest.approx(0.5 / np.sqrt(2))


class TestArraysInArraysOut:
    @pytest.mark.parametrize("kind", [np.asarray, Tensor])
    def test_results_have_the_kind_of_the_arguments(self, kind):
        x, v = kind(np.array([1.0, 2.0])), kind(np.array([1.0, 0.0]))
        f = lambda x: np.sum(x**3)  # noqa: E731
        found = [
            func.grad(f)(x),
            func.grad(f, has_aux=False, argnums=(0,))(x)[0],
            func.value_and_grad(f)(x)[1],
            func.elementwise_grad(np.sin)(x),
            func.jacobian(np.sin)(x),
            func.hessian(f)(x),
            func.hvp(f)(x, v),
            *func.jvp(np.sin, (x,), (v,)),
            func.vjp(np.sin, x)[0],
            *func.vjp(np.sin, x)[1](v),
        ]
        assert {type(y) for y in found} == {type(x)}
        value = func.value_and_grad(f)(x)[0]
        assert type(value) is (Tensor if kind is Tensor else np.float64)

    def test_numbers_and_mixtures_give_tensors(self):
        assert isinstance(func.grad(np.sin)(0.5), Tensor)
        found = func.grad(lambda p: np.sum(p["x"] * p["y"]))({"x": np.ones(2), "y": 2.0})
        assert isinstance(found["x"], Tensor)
        assert isinstance(func.grad(np.sin)(np.float64(0.5)), np.float64)

    def test_results_that_depend_on_tracked_tensors_stay_tracked(self):
        w = Tensor(np.array([2.0, 3.0]), requires_grad=True)
        value, slope = func.value_and_grad(lambda x: np.sum(w * x**2))(np.array([1.0, 2.0]))
        assert value.requires_grad
        slope.sum().backward()
        assert w.grad.tolist() == [2.0, 4.0]
        with no_grad():
            found = func.grad(lambda x: np.sum(w * x**2))(np.array([1.0, 2.0]))
        assert isinstance(found, np.ndarray)

    def test_a_gradient_does_not_share_memory_with_the_arguments(self):
        x, c = np.ones(2), np.array([2.0, 3.0])
        slope = func.grad(lambda x: np.sum(x * c))(x)
        slope += 1
        assert c.tolist() == [2.0, 3.0]
        value, _ = func.vjp(lambda x: x, x)
        value += 1
        assert x.tolist() == [1.0, 1.0]


class TestComposition:
    @pytest.mark.parametrize("depth", [1, 2])
    def test_jacobian_of_grad_is_the_hessian(self, depth):
        f, args = SCALAR["one argument"]
        x = args[0]
        expected = np.diag(2 * np.cos(x) - x * np.sin(x))
        transform = func.jacobian(func.grad(ours(f)))
        np.testing.assert_allclose(transform(x).data, expected)

    def test_grad_of_vjp(self):
        def f(x):
            _, pull = func.vjp(lambda y: y**3, x)
            return pull(np.array([1.0, 10.0]))[0].sum()

        assert func.grad(f)(np.array([1.0, 2.0])).tolist() == [6.0, 120.0]

    def test_vjp_with_respect_to_its_vector(self):
        x = np.array([1.0, 2.0])
        _, pull = func.vjp(lambda y: y**3, x)
        assert func.grad(lambda v: (pull(v)[0] ** 2).sum())(np.ones(2)).tolist() == [18.0, 288.0]

    def test_grad_of_jvp(self):
        def f(x, v):
            return func.jvp(lambda y: y**3, (x,), (v,))[1].sum()

        by_x, by_v = func.grad(f, argnums=(0, 1))(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
        assert (by_x.tolist(), by_v.tolist()) == ([6.0, 120.0], [3.0, 12.0])

    def test_jvp_of_grad_is_hvp(self):
        f, args = SCALAR["nested"]
        loss = functools.partial(f, np)
        direction = random_like(args)
        _, pushed = func.jvp(func.grad(loss), tuple(args), (direction[0], args[1] * 0))
        close(pushed, func.hvp(loss)(*args, direction[0]))

    def test_jvp_of_jvp(self):
        def speed(x):
            return func.jvp(np.sin, (x,), (np.ones(2),))[1]

        x = np.array([0.5, 1.0])
        _, found = func.jvp(speed, (x,), (np.ones(2),))
        np.testing.assert_allclose(found.data, -np.sin(x))

    def test_grad_of_a_value_from_value_and_grad(self):
        def f(x):
            value, slope = func.value_and_grad(lambda y: y**3)(x)
            return value * slope  # 3 x**5

        assert func.grad(f)(np.float64(2.0)).item() == 15 * 16

    def test_grad_of_aux(self):
        def f(x):
            _, aux = func.grad(lambda y: (y**2, y**3), has_aux=True)(x)
            return aux

        assert func.grad(f)(np.float64(2.0)).item() == 12.0

    def test_grad_inside_no_grad_and_no_grad_inside_grad(self):
        with no_grad():
            assert func.grad(func.grad(lambda x: x**3))(2.0).item() == 12.0
            assert func.jacobian(lambda x: x * x)(np.ones(1)).tolist() == [[2.0]]
            assert func.jvp(np.sin, (np.zeros(1),), (np.ones(1),))[1].tolist() == [1.0]

        def f(x):
            with no_grad():
                constant = x * 10
            return x * constant

        assert func.grad(f)(2.0).item() == 20.0

    def test_a_captured_parameter_gets_a_gradient_through_each_transform(self):
        x = np.array([2.0])
        for transform in (
            lambda f: func.grad(f)(x),
            lambda f: func.value_and_grad(f)(x)[1],
            lambda f: func.jacobian(f)(x),
            lambda f: func.elementwise_grad(f)(x),
            lambda f: func.vjp(f, x)[1](np.ones(1))[0],
            lambda f: func.jvp(f, (x,), (np.ones(1),))[1],
        ):
            w = Tensor(np.array([3.0]), requires_grad=True)
            transform(lambda x, w=w: w * x * x).sum().backward()
            assert w.grad.tolist() == [4.0]

    def test_results_of_an_outermost_transform_are_untracked(self):
        x = Tensor([1.0, 2.0])
        value, slope = func.value_and_grad(lambda x: (x * x).sum())(x)
        assert not value.requires_grad
        assert not slope.requires_grad
        assert not func.jvp(np.sin, (x,), (x,))[1].requires_grad
        assert not func.vjp(np.sin, x)[0].requires_grad
        assert not x.requires_grad

    def test_transforms_run_in_several_threads(self):
        found = {}

        def work(i):
            with no_grad() if i % 2 else threading.Lock():
                for _ in range(20):
                    found[i] = func.hessian(lambda x: (x**3).sum() * i)(np.ones(3)).data

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(6):
            np.testing.assert_array_equal(found[i], 6 * i * np.eye(3))


class TestStructures:
    def test_the_result_has_the_structure_of_the_argument(self):
        p = OrderedDict(w=Line([1.0, 2.0], (3.0,)), none=None)
        found = func.grad(lambda p: p["w"].slope[0] * p["w"].offset[0])(p)
        assert type(found) is OrderedDict
        assert type(found["w"]) is Line
        assert tree.outline(found) == tree.outline(p)
        assert [g.item() for g in tree.leaves(found)] == [3.0, 0.0, 1.0]

    def test_the_function_is_given_the_same_types_of_containers(self):
        def f(p):
            assert type(p) is Line
            assert type(p.offset) is dict
            assert p.offset["none"] is None
            return p.slope * p.offset["b"]

        func.grad(f)(Line(1.0, {"b": 2.0, "none": None}))

    def test_the_gradient_of_an_empty_container_is_empty(self):
        assert func.grad(lambda x, p: x * 1, argnums=(0, 1))(2.0, {}) == (pytest.approx(1.0), {})

    def test_other_arguments_are_passed_unchanged(self):
        options = {"power": 3}
        seen = []

        def f(x, options, *, flag):
            seen.append((options, flag))
            return x ** options["power"]

        assert func.grad(f)(2.0, options, flag="on").item() == 12.0
        assert seen[0][0] is options

    def test_has_aux(self):
        def f(x):
            return (x * x).sum(), {"twice": x * 2, "note": "seen"}

        x = np.array([1.0, 2.0])
        slope, aux = func.grad(f, has_aux=True)(x)
        (value, again), _ = func.value_and_grad(f, has_aux=True)(x)
        assert (slope.tolist(), value.item()) == ([2.0, 4.0], 5.0)
        for kept in (
            aux,
            again,
            func.jacobian(f, has_aux=True)(x)[1],
            func.vjp(f, x, has_aux=True)[2],
        ):
            assert kept["note"] == "seen"
            assert kept["twice"].tolist() == [2.0, 4.0]
            assert isinstance(kept["twice"], np.ndarray)
        assert func.jvp(f, (x,), (x,), has_aux=True)[2]["note"] == "seen"
        assert func.hessian(f, has_aux=True)(x)[0].tolist() == [[2, 0], [0, 2]]

    def test_float32_stays_float32(self):
        x = np.ones((2, 2), np.float32)
        f = lambda x: np.tanh(x @ x).sum()  # noqa: E731
        for found in (
            func.grad(f)(x),
            func.hessian(f)(x),
            func.jacobian(np.tanh)(x),
            func.jvp(np.tanh, (x,), (np.ones((2, 2)),))[1],
            func.hvp(f)(x, x),
        ):
            assert found.dtype == np.float32


def test_gradients_of_a_subclass_are_tensors():
    class Meters(Tensor):
        pass

    x = Meters(np.array([1.0, 2.0]))
    for transform in (func.grad, func.hessian):
        assert type(transform(lambda x: (x * x * x).sum())(x)) is Tensor
    assert func.grad(lambda x: x[0] * 0)(x).tolist() == [0, 0]


INTEGERS = np.array([1, 2])

INVALID = {
    # name: a call, the error it raises, what the message must contain
    "an integer array": (lambda: func.grad(np.sum)(INTEGERS), TypeError, ["argument 0", "int64"]),
    "an integer tensor in a container": (
        lambda: func.grad(lambda p: p["a"])({"a": [Tensor(INTEGERS)]}),
        TypeError,
        [r"\['a'\]\[0\]", "int64", "argnums"],
    ),
    "a word": (
        lambda: func.jacobian(lambda x, s: x, argnums=1)(1.0, "sum"),
        TypeError,
        ["argument 1", "sum"],
    ),
    "a float": (lambda: func.grad(lambda x: 3.0)(1.0), TypeError, ["float", "3.0", "lambda"]),
    "None": (lambda: func.grad(lambda x: None)(1.0), TypeError, ["nothing"]),
    "an array next to a tensor": (
        lambda: func.jacobian(lambda x: [x, np.ones(2)])(1.0),
        TypeError,
        [r"its result\[1\]", "ndarray"],
    ),
    "several elements": (
        lambda: func.grad(lambda x: x)(np.ones(3)),
        NonScalarError,
        [r"\(3,\)", "a gradient needs one element"],
    ),
    "several tensors": (
        lambda: func.grad(lambda x: (x, x))(1.0),
        TypeError,
        [r"\(·, ·\)", "jacobian"],
    ),
    "an integer result": (lambda: func.grad(np.argmax)(np.ones(3)), TypeError, ["int64"]),
    "has_aux without a pair": (
        lambda: func.grad(lambda x: x, has_aux=True)(1.0),
        TypeError,
        ["has_aux", "pair", "Tensor"],
    ),
    "argnums beyond the arguments": (
        lambda: func.grad(lambda x: x, argnums=2)(1.0),
        TypeError,
        ["argument 2", "only 1 were given"],
    ),
    "argnums twice": (
        lambda: func.grad(lambda x, y: x, argnums=(0, -2))(1.0, 2.0),
        ValueError,
        ["twice"],
    ),
    "a vector of another shape": (
        lambda: func.vjp(lambda x: x * 2, np.ones(3))[1](np.ones(2)),
        ValueError,
        [r"\(2,\)", r"\(3,\)"],
    ),
    "a vector of another structure": (
        lambda: func.hvp(lambda p: p["a"] ** 2)({"a": 1.0}, [1.0]),
        ValueError,
        [r"\{'a': ·\}", r"\[·\]"],
    ),
    "too many tangents": (
        lambda: func.jvp(np.sin, (1.0,), (1.0, 2.0)),
        ValueError,
        [r"\(·,\)", r"\(·, ·\)"],
    ),
    "primals that are not a tuple": (
        lambda: func.jvp(np.sin, np.ones(2), np.ones(2)),
        TypeError,
        ["primals", "tuple"],
    ),
    "a NumPy function without a rule": (
        lambda: func.grad(lambda x: np.setdiff1d(x, [0])[0])(np.ones(3)),
        AutogradError,
        ["setdiff1d"],
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_use_raises(name):
    act, kind, words = INVALID[name]
    with pytest.raises(kind) as caught:
        act()
    for word in words:
        caught.match(word)


def test_transforms_raise_while_autograd_is_off():
    with plugins.disable("autograd"), pytest.raises(AutogradError, match=r"plugins\.enable"):
        func.grad(lambda x: x)(1.0)


def test_an_independent_result_has_a_derivative_of_zero():
    x = np.ones(2)
    constant = Tensor([[5.0]])
    assert func.grad(lambda x: constant)(x).tolist() == [0, 0]
    assert func.jacobian(lambda x: constant)(x).tolist() == [[[0, 0]]]
    assert func.vjp(lambda x: constant, x)[1](np.ones((1, 1)))[0].tolist() == [0, 0]
    assert func.jvp(lambda x: constant, (x,), (x,))[1].tolist() == [[0]]
    assert func.hessian(lambda x: constant)(x).tolist() == [[0, 0], [0, 0]]


def test_tensors_passed_in_are_not_modified():
    x = Variable([1.0, 2.0])
    before = x.data.copy()
    func.hessian(lambda x: (x * x).sum())(x)
    func.grad(lambda x: (x * x).sum())(x)
    assert x.grad is None
    np.testing.assert_array_equal(x.data, before)
    assert grad((x * x).sum(), x).tolist() == [2.0, 4.0]


def test_the_program_may_write_into_an_array_that_vjp_returns():
    value, pull, aux = func.vjp(lambda x: (np.exp(x), np.exp(x)), np.zeros(2), has_aux=True)
    value -= 5
    aux[:] = 7
    np.testing.assert_array_equal(pull(np.ones(2))[0], [1, 1])
