"""jit of functions, vmap, moving arrays between NumPy and devices, and errors."""

from __future__ import annotations

import copy
import importlib
import inspect
import itertools
import pickle
import re
import types
import weakref
from collections import deque
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_xla as xla
from tinytorch_autograd import func, no_grad
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_layers.functional import embedding
from tinytorch_losses import binary_cross_entropy, cross_entropy, nll_loss
from tinytorch_training import Adam

pytestmark = pytest.mark.peers("jax")

X = np.random.default_rng(0).standard_normal((5, 3))
W = np.arange(3.0) + 0.5


def put(array):
    return xla.device_put(np.asarray(array))


def loss(w, x):
    return (w * x).sum() ** 3


def line():
    """Return file and line of the next statement of the caller."""
    frame = inspect.currentframe().f_back
    return f"{re.escape(frame.f_code.co_filename)}:{frame.f_lineno + 1}"


class TestArrays:
    def test_numpy_functions_and_operators_have_numpys_dtypes(self):
        x, i = X.astype(np.float32), np.arange(3)
        for compute in (
            lambda x, i: x + i,
            lambda x, i: np.where(x > 0, x, i),
            lambda x, i: np.concatenate([x, i[None]]),
            lambda x, i: x @ i,
            lambda x, i: np.sqrt(i),
            lambda x, i: i.sum(),
            lambda x, i: i.mean(),
            lambda x, i: x * 2 - 1,
            lambda x, i: np.maximum(x, 0),
            lambda x, i: x[:, i[::-1]],
            lambda x, i: np.add.reduce(x, axis=1),
            lambda x, i: np.full_like(x, 2, shape=(4,)),
            lambda x, i: np.linalg.norm(x, axis=0),
            lambda x, i: i[None] // 2,
        ):
            found, expected = compute(put(x), put(i)), compute(x, i)
            assert type(found) is xla.Array
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(np.asarray(found), expected, 1e-6)

    def test_float64_is_kept_without_a_setting_of_jax(self):
        import jax

        assert not jax.config.jax_enable_x64
        x = put(X)
        assert x.dtype == (x * 2).dtype == np.float64
        np.testing.assert_allclose(np.asarray(np.exp(x)), np.exp(X), 1e-14)
        assert jax.numpy.ones(1).dtype == np.float32

    def test_arrays_cannot_be_modified(self):
        x = y = put(X)
        x += 1
        assert x is not y
        for write in (
            lambda: y.__setitem__(0, 1),
            lambda: np.add(y, 1, out=y),
            lambda: np.add.at(y, 0, 1),
            lambda: y.sort(),
        ):
            with pytest.raises(xla.XlaError, match=r"test_functions.py:\d+: .*cannot be modified"):
                write()

    def test_an_index_out_of_range(self):
        for index in (5, -6, (0, 3), (..., 3)):
            with pytest.raises(IndexError, match="out of bounds"):
                put(X)[index]

    def test_iteration_length_and_membership(self):
        x = put(X)
        assert len(x) == 5
        assert [row.shape for row in x] == [(3,)] * 5
        assert X[0, 0] in x
        with pytest.raises(TypeError, match="len"):
            len(x[0, 0])

    def test_copies_and_pickles(self):
        x = put(X)
        for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
            assert type(other) is xla.Array
            np.testing.assert_array_equal(np.asarray(other), X)
        assert repr(put([1.0, 2.0])) == "Array([1., 2.])"

    def test_a_function_that_jax_lacks(self):
        with pytest.raises(xla.XlaError, match=r"jax.numpy has no function np.busday_count"):
            np.busday_count(put([1]), put([2]))


class TestDevices:
    def test_a_tensor_moves_there_and_back(self):
        x = Tensor(X)
        assert x.device == "cpu"
        moved = xla.device_put(x)
        assert str(moved.device).lower().startswith(("cpu", "cuda", "tpu"))
        np.testing.assert_array_equal(moved.numpy(), X)
        assert type(xla.to_numpy(moved).data) is np.ndarray
        assert xla.to_numpy(moved).device == "cpu"

    def test_to_device(self):
        moved = xla.device_put(Tensor(X))
        there = moved.to_device(moved.device)
        assert there is moved
        sharding = importlib.import_module("jax").sharding.SingleDeviceSharding(moved.device)
        np.testing.assert_array_equal(moved.to_device(sharding).numpy(), X)
        with pytest.raises(ValueError, match="stream=1"):
            moved.to_device(moved.device, stream=1)

    def test_a_module_and_an_optimizer_move_in_place(self):
        model = Sequential(Linear(3, 2), BatchNorm1d(2))
        optimizer = Adam(model.parameters(), lr=0.1)
        model(Tensor(X.astype(np.float32))).sum().backward()
        optimizer.step()
        assert xla.device_put(model) is model
        assert xla.device_put(optimizer) is optimizer
        assert isinstance(model[0].weight.data, xla.Array)
        assert isinstance(model[0].weight.grad, xla.Array)
        assert isinstance(model[1].running_mean, xla.Array)
        assert isinstance(dict(optimizer.named_state())["0.exp_avg"], xla.Array)
        out = model(xla.device_put(Tensor(X.astype(np.float32))))
        assert isinstance(out.data, xla.Array)
        xla.to_numpy(model), xla.to_numpy(optimizer)
        assert type(model[1].running_mean) is np.ndarray
        assert type(dict(optimizer.named_state())["0.exp_avg"]) is np.ndarray

    def test_a_result_with_a_gradient_does_not_move(self):
        with pytest.raises(xla.XlaError, match="would lose its gradient"):
            xla.device_put(Tensor(X, requires_grad=True) * 2)


class TestJit:
    def test_derivatives(self):
        for transform in (func.grad, func.jacobian, func.hessian):
            expected = transform(loss)(Tensor(W), Tensor(X[0]))
            found = xla.jit(transform(loss))(Tensor(W), Tensor(X[0]))
            assert isinstance(found, Tensor)
            assert isinstance(found.data, xla.Array)
            np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-12)

    def test_arguments_and_results_may_be_nested(self):
        @xla.jit
        def f(pair, *, scale, extra=None):
            x, named = pair
            return {"sum": x + named["y"], "rest": [x * scale, "text", None]}, scale

        found, scale = f((X, {"y": Tensor(X)}), scale=2)
        assert isinstance(found["sum"], Tensor)
        assert type(found["rest"][0]) is xla.Array
        assert found["rest"][1:] == ["text", None]
        assert scale == 2
        np.testing.assert_array_equal(np.asarray(found["rest"][0]), 2 * X)

    def test_other_shapes_and_constants_compile_again(self):
        step = xla.jit(lambda x, n: x * n)
        for x, n in ((X, 2), (X, 2), (X, 3), (X[0], 3), (X.astype(np.float32), 3)):
            found = step(x, n)
            np.testing.assert_allclose(np.asarray(found), x * n)
            assert found.dtype == x.dtype
        assert repr(step) == "<jit <lambda>: 4 programs>"

    def test_a_global_constant_that_changes_compiles_again(self):
        step = xla.jit(lambda x: x * FACTORS[0])
        assert np.asarray(step(np.ones(1))) == 2
        FACTORS[0] = 3
        try:
            assert np.asarray(step(np.ones(1))) == 3
        finally:
            FACTORS[0] = 2

    def test_an_array_that_the_function_refers_to_is_read_at_each_call(self):
        table = np.ones(3)
        step = xla.jit(lambda x: x + table)
        step(W)
        table[:] = 5
        np.testing.assert_array_equal(np.asarray(step(W)), W + 5)

    def test_a_function_inside_of_another(self):
        inner = xla.jit(lambda x: x * x)
        found = xla.jit(func.grad(lambda x: inner(x).sum()))(Tensor(W))
        np.testing.assert_allclose(found.numpy(), 2 * W)

    def test_a_decorator_of_methods_and_a_copy(self):
        class Model:
            scale = 2.0

            def predict(self, x):
                return x * self.scale

        model = Model()
        predict = copy.deepcopy(xla.jit(donate=False)(model.predict))
        np.testing.assert_array_equal(np.asarray(predict(W)), 2 * W)

    def test_what_is_not_a_function(self):
        for wrong in (3, Linear):
            with pytest.raises(TypeError, match=r"jit\(\) takes a function"):
                xla.jit(wrong)

    def test_each_call_looks_at_its_arguments(self):
        step = xla.jit(lambda x, y: (x * 2 + y,))
        wide, narrow = Tensor(W), Tensor(W.astype(np.float32))
        for x in (wide, wide, narrow, wide, narrow, W, put(W), wide):
            (found,) = step(x, W)
            np.testing.assert_allclose(np.asarray(found), 3 * W, 1e-6)
            assert isinstance(found, Tensor) is isinstance(x, Tensor)
        with pytest.raises(xla.XlaError, match="requires grad"):
            step(Tensor(W, requires_grad=True), W)
        (found,) = step(wide, y=W[:1])
        np.testing.assert_allclose(np.asarray(found), 2 * W + W[0])

    def test_an_argument_that_requires_grad(self):
        with pytest.raises(xla.XlaError, match=r"jit\(func.grad"):
            xla.jit(lambda x: x * 2)(Tensor(W, requires_grad=True))

    def test_state_that_is_created_in_every_call(self):
        found = []
        step = xla.jit(lambda x: found.append(x * 2))
        for _ in range(3):
            step(W)
        with pytest.raises(xla.XlaError, match="creates or replaces found"):
            step(W)

    def test_a_generator_that_is_not_found(self):
        layer = Dropout(0.5, generator=0)
        hidden = weakref.ref(layer)
        with pytest.raises(xla.XlaError, match="generator that jit cannot find"):
            xla.jit(lambda x: hidden()(x))(Tensor(W))

    def test_the_global_generator(self):
        with pytest.raises(xla.XlaError, match="global generator"):
            xla.jit(lambda x: x + np.random.rand())(W)  # noqa: NPY002

    def test_contents_that_cannot_be_seen_or_replaced(self):
        class Slots:
            __slots__ = ("x",)

        hidden, pair = Slots(), (np.ones(3), 1)
        with pytest.raises(xla.XlaError, match="hidden is a Slots"):
            xla.jit(lambda x: x + hidden.x)(W)
        with pytest.raises(xla.XlaError, match="pair holds an array"):
            xla.jit(lambda x: x + pair[0])(W)

    def test_an_attribute_of_a_class_that_changes_compiles_again(self):
        class Scale:
            factor = 2

            def apply(self, x):
                return x * self.factor

        scale = Scale()
        step = xla.jit(lambda x: scale.apply(x))
        assert np.asarray(step(np.ones(1))) == 2
        Scale.factor = 3
        assert np.asarray(step(np.ones(1))) == 3

    def test_what_a_property_refers_to_is_state(self):
        table = np.ones(1)

        class Scale:
            @property
            def factor(self):
                return table * self.twice(1)

            @staticmethod
            def twice(x):
                return x * FACTORS[0]

        scale = Scale()
        step = xla.jit(lambda x: x * scale.factor)
        assert np.asarray(step(np.ones(1))) == 2
        table[:] = 3
        assert np.asarray(step(np.ones(1))) == 6
        assert repr(step) == "<jit <lambda>: 1 program>"

    def test_a_queue_is_state(self):
        queue = deque([np.ones(1), np.zeros(1)])

        @xla.jit
        def step(x):
            queue.append(x)
            return queue.popleft()

        assert [np.asarray(step(np.full(1, n))).item() for n in (2.0, 3.0, 4.0, 5.0)] == [
            1,
            0,
            2,
            3,
        ]

    def test_an_index_out_of_range_of_an_embedding(self):
        step = xla.jit(lambda i, w: embedding(i, w))
        table = Tensor(X)
        np.testing.assert_array_equal(step(np.array([4]), table).numpy(), X[[4]])
        with pytest.raises(IndexError, match="out of range for 5 rows"):
            step(np.array([5]), table)

    def test_class_numbers_and_probabilities_that_are_not_valid(self):
        model = Linear(3, 3, generator=0)
        optimizer = Adam(model.parameters(), lr=0.1)

        @xla.jit
        def step(x, classes):
            optimizer.zero_grad()
            # The classes of the second loss are computed in the step.
            loss = cross_entropy(model(x), classes) + nll_loss(model(x), 0 + classes)
            loss.backward()
            optimizer.step()
            return loss

        x = Tensor(X.astype(np.float32))
        for _ in range(3):
            step(x, np.array([0, 2, 1, -100, 0]))
        before = np.asarray(model.weight.data)
        for wrong in (3, -1):
            with pytest.raises(IndexError, match=rf"target\[1\] is {wrong}, but class numbers"):
                step(x, np.array([0, wrong, 1, 1, 0]))
        np.testing.assert_array_equal(np.asarray(model.weight.data), before)
        assert [s["step"] for s in optimizer.state_dict()["state"]] == [3, 3]
        with pytest.raises(ValueError, match="must be whole"):
            step(x, np.array([0, 1.5, 1, 1, 0]))
        likelihood = xla.jit(lambda p, y: binary_cross_entropy(p, y))
        likelihood(np.array([0.5, 1.0]), np.ones(2))
        with pytest.raises(ValueError, match=r"input\[1\] is 1.5"):
            likelihood(np.array([0.5, 1.5]), np.ones(2))

    def test_a_class_number_of_an_array_on_a_device(self):
        with pytest.raises(IndexError, match="class numbers must be from 0 to 2"):
            cross_entropy(xla.device_put(Tensor(X)), xla.device_put(np.array([0, 3, 1, 1, 0])))

    def test_sets_and_objects_of_libraries_that_change_compile_again(self):
        chosen, options, text = {1}, types.SimpleNamespace(scale=2, table=np.ones(1)), Fraction(3)
        step = xla.jit(lambda x: x * len(chosen) * options.scale * options.table + int(text))
        assert np.asarray(step(np.ones(1))) == 5
        chosen.add(2)
        assert np.asarray(step(np.ones(1))) == 7
        options.scale = 3
        assert np.asarray(step(np.ones(1))) == 9
        options.table[:] = 2
        assert np.asarray(step(np.ones(1))) == 15
        assert repr(step) == "<jit <lambda>: 3 programs>"

    def test_a_step_that_changes_a_set(self):
        seen = set()
        step = xla.jit(lambda x: (seen.add(len(seen)), x)[1])
        step(W)
        assert seen == {0}

    def test_iterators_and_generators_that_would_not_advance(self):
        steps, random = itertools.count(), Random(0)
        state = np.random.RandomState(0)
        for function, message in (
            (lambda x: x * next(steps), "steps is a count"),
            (lambda x: x * random.random(), "draws from random,"),
            (lambda x: x * state.rand(), "draws from state,"),
        ):
            with pytest.raises(xla.XlaError, match=message):
                xla.jit(function)(W)


FACTORS = [2]


def branch(x):
    return x if x.sum() > 0 else -x


def item(x):
    return x.sum().item()


def number(x):
    return float(x.sum())


def numpy_array(x):
    return np.asarray(x)


def mask(x):
    return x[x > 0]


def loop(x):
    return [0 for _ in range(x.astype(int).sum())]


def unique(x):
    return np.unique(x)


def shown(x):
    return f"{x.sum():.2f}"


@pytest.mark.parametrize("function", [branch, item, number, numpy_array, mask, loop, unique, shown])
@pytest.mark.parametrize("transform", ["jit", "vmap"])
@pytest.mark.parametrize("kind", [np.asarray, Tensor])
def test_what_needs_values_names_the_line(function, transform, kind):
    line = inspect.getsourcelines(function)[1] + 1
    with pytest.raises(xla.TracedValueError, match=rf"test_functions.py:{line}: .*no values yet"):
        getattr(xla, transform)(function)(kind(X))


class TestVmap:
    def test_gradients_of_each_example(self):
        found = xla.vmap(func.grad(loss), in_axes=(None, 0))(Tensor(W), Tensor(X))
        expected = [func.grad(loss)(Tensor(W), Tensor(x)).numpy() for x in X]
        np.testing.assert_allclose(found.numpy(), expected, 1e-12)

    @pytest.mark.parametrize("transform", [func.grad, func.jacobian, func.hessian])
    def test_inside_of_a_transform(self, transform):
        batched = xla.vmap(loss, in_axes=(None, 1))
        found = transform(lambda w: batched(w, Tensor(X.T)).sum())(Tensor(W))
        expected = transform(lambda w: ((w * Tensor(X)).sum(axis=1) ** 3).sum())(Tensor(W))
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), 1e-12)

    def test_around_transforms_and_compiled(self):
        batched = xla.vmap(func.hessian(lambda x: (x**3).sum()))
        expected = [np.diag(6 * x) for x in X]
        np.testing.assert_allclose(np.asarray(batched(X)), expected, 1e-12)
        np.testing.assert_allclose(np.asarray(xla.jit(batched)(X)), expected, 1e-12)

    def test_backward(self):
        w, x = Tensor(W, requires_grad=True), Tensor(X.T, requires_grad=True)
        xla.vmap(loss, in_axes=(None, 1))(w, x).sum().backward()
        inner = X @ W
        np.testing.assert_allclose(np.asarray(w.grad), 3 * inner**2 @ X, 1e-12)
        np.testing.assert_allclose(np.asarray(x.grad), 3 * np.outer(W, inner**2), 1e-12)

    def test_nested_with_axes(self):
        table = xla.vmap(xla.vmap(lambda a, b: a * b, (None, 0)), (0, None))
        np.testing.assert_allclose(np.asarray(table(W, X[0])), np.outer(W, X[0]))
        columns, sums = xla.vmap(lambda x: (x, x.sum()), out_axes=(1, 0))(X)
        np.testing.assert_allclose(np.asarray(columns), X.T)
        np.testing.assert_allclose(np.asarray(sums), X.sum(axis=1))
        moved = xla.vmap(lambda x: x * 2, in_axes=1, out_axes=1)(Tensor(X))
        np.testing.assert_allclose(moved.numpy(), 2 * X)

    def test_predictions_of_a_model(self):
        model = Linear(3, 2, generator=0)
        x = X.astype(np.float32)
        with no_grad():
            found = xla.vmap(model)(Tensor(x))
            np.testing.assert_allclose(found.numpy(), model(Tensor(x)).numpy(), 1e-6)
        with pytest.raises(xla.XlaError, match="in_axes=None"):
            xla.vmap(model)(Tensor(x))

    def test_wrong_arguments(self):
        with pytest.raises(TypeError, match="takes a function"):
            xla.vmap(3)
        with pytest.raises(TypeError, match="2 items for 1 arguments"):
            xla.vmap(loss, (0, 0))(X)
        with pytest.raises(TypeError, match="out_axes"):
            xla.vmap(lambda x: x, out_axes=(0, 0))(X)
        with pytest.raises(ValueError, match=r"lengths \[3, 5\]"):
            xla.vmap(loss)(W, X)
        with pytest.raises(ValueError, match="axis 2 of an array of shape"):
            xla.vmap(loss, 2)(X, X)
        with pytest.raises(ValueError, match="no batch"):
            xla.vmap(loss, None)(W, W)
        with pytest.raises(xla.XlaError, match="several out_axes"):
            xla.vmap(lambda x: (x, x), out_axes=(0, 0))(Tensor(X, requires_grad=True))
