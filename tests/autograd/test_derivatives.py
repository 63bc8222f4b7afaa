"""The derivatives of every op: of orders 1 to 3, in every shape, and in float32."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tinytorch_core import Tensor, plugins
from tinytorch_core.extend import OpTable

from tinytorch_autograd import Rules
from tinytorch_autograd.debug.numerical import check_derivative, gradients, random_weights
from tinytorch_autograd.engine import nodes_of
from tinytorch_autograd.rules import FAMILIES
from tinytorch_autograd.rules.on_demand import families

from .cases import CASES, DESCRIBED, spread
from .checks import check_float32, every_case


def test_names_of_cases_are_unique():
    repeated = Counter(case.name for case in CASES) - Counter({case.name for case in CASES})
    assert not repeated


@every_case
def test_derivatives_agree_with_numerical_differentiation(case):
    before = [a.copy() for a in case.arrays]
    for order in (1, 2, 3):
        check_derivative(case.function, case.arrays, order)
    for array, original in zip(case.arrays, before, strict=True):
        np.testing.assert_array_equal(array, original)


@every_case
def test_backward_does_not_modify_its_arguments(case):
    inputs = [Tensor(a, requires_grad=True) for a in case.arrays]
    out = case.function(*inputs)
    value = out.data.copy()
    weight, _ = random_weights(case.function, case.arrays, 0)
    given = weight.copy()
    out.backward(given)
    np.testing.assert_array_equal(given, weight)
    np.testing.assert_array_equal(out.data, value)
    for x, array in zip(inputs, case.arrays, strict=True):
        np.testing.assert_array_equal(x.data, array)


@every_case
def test_a_gradient_shares_memory_with_no_other_array(case):
    inputs = [Tensor(a, requires_grad=True) for a in case.arrays]
    weight, _ = random_weights(case.function, case.arrays, 0)
    case.function(*inputs).backward(weight)
    found = [x.grad for x in inputs]
    expected = gradients(case.function, case.arrays, weight)
    for x, g, e in zip(inputs, found, expected, strict=True):
        assert type(g) is np.ndarray
        assert g.shape == x.shape
        assert g.flags.writeable
        np.testing.assert_allclose(g, e, rtol=1e-13)
    for i, g in enumerate(found):
        for other in (*found[:i], weight, *(x.data for x in inputs)):
            assert not np.shares_memory(g, other)


@every_case
def test_apply_returns_arrays_for_an_array_and_tensors_for_a_tensor(case):
    out = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
    ones = np.ones(out.shape)
    as_arrays, as_tensors = out.grad_fn.apply(ones), out.grad_fn.apply(Tensor(ones))
    assert len(as_arrays) == len(as_tensors) == len(out.grad_fn.next_functions)
    for array, tensor in zip(as_arrays, as_tensors, strict=True):
        assert (array is None) == (tensor is None)
        if array is not None:
            assert isinstance(array, np.ndarray | np.generic)
            assert isinstance(tensor, Tensor)
            np.testing.assert_array_equal(array, tensor.data)


@every_case
def test_float32_stays_float32(case):
    check_float32(case)
    inputs = [Tensor(a.astype(np.float32), requires_grad=True) for a in case.arrays]
    out = case.function(*inputs)
    out.backward(np.ones(out.shape, np.float32))
    assert {x.grad.dtype for x in inputs} == {np.dtype(np.float32)}


@pytest.mark.parametrize("wide", [np.float64, np.float16])
def test_a_gradient_has_the_dtype_of_its_input_across_astype(wide):
    x = Tensor([1.5, 2.5], requires_grad=True)
    y = x.astype(wide)
    assert y.dtype == wide
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.dtype == wide
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [3.0, 5.0]


def test_a_gradient_has_the_dtype_of_its_input_next_to_a_wider_one():
    narrow = Tensor([1.5, 2.5], requires_grad=True)
    wide = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    (narrow * wide).sum().backward()
    assert (narrow.grad.dtype, wide.grad.dtype) == (np.float32, np.float64)
    assert narrow.grad.tolist() == [2.0, 3.0]


class TestCoverage:
    """Every op has a rule or a declaration, and every rule has a case."""

    @classmethod
    def setup_class(cls):
        with plugins.disabled():
            cls.table = OpTable("autograd")
            for op in plugins.surface().ops.values():
                if not op.numpy_call:  # another test may have created these
                    cls.table[op.name] = op
        cls.rules = Rules(cls.table, "autograd")
        for family in (*FAMILIES, *families()):
            family.register_ops(cls.table)
            family.register_rules(cls.rules)

    def test_every_op_has_a_rule_or_is_declared_not_differentiable(self):
        without = {
            name
            for name, op in self.table.items()
            if not (op.in_place or op.raw or self.rules.has_no_derivative(name))
            and self.rules.get(name) is None
        }
        assert without == set()

    def test_every_input_of_every_rule_is_differentiated_by_a_case(self):
        expected = set()
        for name, op in self.table.items():
            if rule := self.rules.get(name):
                inputs = op.inputs[:1] if op.variadic else op.inputs
                pairs = zip(inputs, rule.vjps, strict=True)
                expected |= {(name, x) for x, vjp in pairs if vjp is not None}
        met = set()
        described = [case for d in DESCRIBED for case in (*d.cases(), *d.complex_cases())]
        for case in (*CASES, *described):
            out = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
            for node in nodes_of([out._node])[0] if out._node else ():
                if node.has_rule:
                    pairs = zip(node.op.inputs, node.edges, strict=False)
                    name = node.op.name.rpartition(".")[2]  # of linalg.inv and the like
                    met |= {(name, x) for x, edge in pairs if edge is not None}
        assert expected - met == set()


# Random shapes and indices.


def _values(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


@settings(max_examples=40)
@given(
    shapes=arrays_of.mutually_broadcastable_shapes(
        num_shapes=2, max_dims=4, max_side=3, min_side=0
    ),
    order=st.sampled_from([1, 2]),
)
def test_broadcasting_of_any_shapes(shapes, order):
    arrays = [_values(shape, i) for i, shape in enumerate(shapes.input_shapes)]
    check_derivative(lambda x, y: (x + y) * x / y - y * y, arrays, order)


@settings(max_examples=40)
@given(
    shapes=arrays_of.mutually_broadcastable_shapes(signature="(n?,k),(k,m?)->(n?,m?)", max_dims=2),
    order=st.sampled_from([1, 2]),
)
def test_matmul_of_any_shapes(shapes, order):
    arrays = [_values(shape, i) for i, shape in enumerate(shapes.input_shapes)]
    check_derivative(lambda x, y: (x @ y) ** 2, arrays, order)


@settings(max_examples=80)
@given(data=st.data())
def test_indexing_with_any_index(data):
    shape = data.draw(arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=4))
    index = data.draw(
        st.one_of(
            arrays_of.basic_indices(shape, allow_newaxis=True),
            arrays_of.integer_array_indices(shape),
            arrays_of.arrays(bool, shape),
        )
    )
    check_derivative(lambda x: x[index] ** 2, [spread(shape)], 2)


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(["sum", "mean", "prod", "max", "min", "var", "std"]))
def test_reducing_over_any_axes(data, name):
    shape = data.draw(arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=2, max_side=3))
    axis = data.draw(st.none() | arrays_of.valid_tuple_axes(len(shape), min_size=1))
    keepdims = data.draw(st.booleans())
    x = spread(shape, 0.7, 1.3) if name == "prod" else spread(shape)
    function = lambda x: getattr(x, name)(axis=axis, keepdims=keepdims) ** 2  # noqa: E731
    check_derivative(function, [x], 2)
