"""Typical uses of gradients, in the styles of PyTorch, TensorFlow, JAX and the TinyTorch course."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_autograd as autograd
from tinytorch_autograd import (
    AutogradError,
    Variable,
    func,
    grad,
    no_grad,
)

from .checks import tracked


@pytest.mark.parametrize(
    "first", ["tinytorch_autograd", "tinytorch_core", "tinytorch_autograd.func"]
)
def test_any_package_may_be_imported_first(first):
    program = f"""
import {first}
import tinytorch_autograd
from tinytorch_core import Tensor, plugins
assert "autograd" in plugins.active()
x = Tensor([2.0], requires_grad=True)
tinytorch_autograd.MulBackward
(x * x).backward()
assert x.grad.tolist() == [4.0]
"""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class TestFirstSteps:
    def test_three_times_x(self):
        x = Tensor([2.0], requires_grad=True)
        y = x * 3
        y.backward()
        assert isinstance(x.grad, np.ndarray)
        assert x.grad.tolist() == [3.0]

    def test_a_polynomial_of_a_variable(self):
        x = Variable(2.0)
        y = x**2 + 3 * x + 1
        y.backward()
        assert (y.item(), float(x.grad)) == (11.0, 7.0)
        assert x.grad.shape == ()

    def test_a_product_of_sum_and_difference(self):
        x, y = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
        ((x + y) * (x - y)).backward()
        assert (x.grad.tolist(), y.grad.tolist()) == ([4.0], [-6.0])

    def test_matrices(self):
        a, b = tracked([[1, 2], [3, 4]]), tracked([[5, 6], [7, 8]])
        (((a @ b) + a) * b).sum().backward()
        np.testing.assert_array_equal(a.grad, b.data @ b.data.T + b.data)
        np.testing.assert_array_equal(b.grad, a.data.T @ b.data + a.data @ b.data + a.data)

    def test_a_tensor_used_twice(self):
        x, y = tracked([2]), tracked([5])
        (x * y + x).backward()
        assert (x.grad.tolist(), y.grad.tolist()) == ([6.0], [2.0])

    def test_a_network_of_two_layers(self):
        rng = np.random.default_rng(0)
        x = Tensor(rng.normal(size=(8, 3)).astype(np.float32))
        w1, b1, w2 = (Tensor(rng.normal(size=s), np.float32) for s in ((3, 5), (5,), (5, 2)))
        for parameter in (w1, b1, w2):
            parameter.requires_grad_()
        (np.maximum(x @ w1 + b1, 0) @ w2).mean().backward()
        for parameter in (w1, b1, w2):
            assert parameter.grad.shape == parameter.shape
            assert parameter.grad.dtype == np.float32
            assert parameter.grad.any()
        assert x.grad is None

    @pytest.mark.parametrize("kind", [np.asarray, Tensor])
    def test_a_function_applied_by_hand(self, kind):
        a, b = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
        by_a, by_b = autograd.MulBackward(kind(a), kind(b)).apply(np.ones(3))
        np.testing.assert_array_equal(by_a, b)
        np.testing.assert_array_equal(by_b, a)

    def test_a_function_with_parameters_applied_by_hand(self):
        node = autograd.SumBackward(Tensor(np.ones((2, 3))), axis=0)
        (slope,) = node.apply(np.array([1.0, 2.0, 3.0]))
        np.testing.assert_array_equal(slope, [[1, 2, 3], [1, 2, 3]])

    @pytest.mark.parametrize(
        ("name", "make"),
        [
            ("AddBackward", lambda x: x + 1),
            ("SubBackward", lambda x: x - 1),
            ("MulBackward", lambda x: x * 2),
            ("DivBackward", lambda x: x / 2),
            ("PowBackward", lambda x: x**2),
            ("MatmulBackward", lambda x: x @ x),
            ("SumBackward", lambda x: x.sum()),
            ("ExpBackward", np.exp),
            ("LogBackward", lambda x: x.log()),
            ("GetitemBackward", lambda x: x[0]),
        ],
    )
    def test_a_result_has_the_function_of_its_op(self, name, make):
        out = make(tracked([1, 2]))
        assert type(out.grad_fn).__name__ == name
        assert type(out.grad_fn) is getattr(autograd, name)
        assert issubclass(type(out.grad_fn), autograd.Function)
        assert name in repr(out)

    def test_the_graph_can_be_inspected(self):
        x, y = tracked([2]), tracked([3])
        z = x * y + 1
        (product, constant) = z.grad_fn.next_functions
        assert constant is None
        assert type(product) is autograd.MulBackward
        np.testing.assert_array_equal(product.saved_tensors, [[2], [3]])
        assert [node.tensor() for node in product.next_functions] == [x, y]

    def test_attributes_of_leaves_and_results(self):
        x, c = tracked([2]), Tensor([1.0])
        y = x * c
        assert (x.is_leaf, c.is_leaf, y.is_leaf) == (True, True, False)
        assert (x.requires_grad, c.requires_grad, y.requires_grad) == (True, False, True)
        assert x.grad_fn is None
        assert c.grad_fn is None


class TestAccumulation:
    def test_two_backward_passes_add_up(self):
        x = tracked([2])
        (x * 3).backward()
        assert x.grad.tolist() == [3.0]
        (x * 4).backward()
        assert x.grad.tolist() == [7.0]

    def test_backward_twice_through_one_graph(self):
        x = tracked([2])
        y = x * x
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [8.0]

    def test_zero_grad_resets_the_gradient(self):
        x = tracked([2])
        (x * 3).backward()
        x.zero_grad()
        assert x.grad is None
        (x * 4).backward()
        assert x.grad.tolist() == [4.0]

    def test_grad_can_be_set(self):
        x = tracked([2])
        x.grad = np.array([10.0])
        (x * 3).backward()
        assert x.grad.tolist() == [13.0]
        x.grad = None
        assert x.grad is None

    def test_retain_grad_keeps_intermediate_gradients(self):
        x = tracked([2])
        h, other = x * 3, x * 5
        h.retain_grad()
        h.retain_grad()
        (h * h * other).backward()
        assert h.grad.tolist() == [120.0]
        assert other.grad is None

    def test_backward_multiplies_by_the_gradient_passed_in(self):
        x = tracked([1, 2])
        for gradient in (np.array([1.0, 10.0]), Tensor([1.0, 10.0]), [1.0, 10.0]):
            x.zero_grad()
            (x * x).backward(gradient)
            assert x.grad.tolist() == [2.0, 40.0]

    def test_the_gradient_passed_in_is_converted_to_the_dtype(self):
        x = tracked([1, 2], np.float32)
        (x * x).backward(np.array([1.0, 10.0]))
        assert x.grad.dtype == np.float32


class TestOwnership:
    """Writing into a gradient changes that gradient and nothing else."""

    @pytest.mark.parametrize(
        "function",
        [
            lambda x, y: x + y,
            lambda x, y: x.copy() + y.reshape(3).reshape(3),
            lambda x, y: (x.reshape(1, 3) + y[None])[0],
            lambda x, y: x[:] + y[...],
            lambda x, y: np.stack([x, y])[0] + y,
            lambda x, y: np.concatenate([x, y])[:3] + y,
            lambda x, y: +x - -y,
            lambda x, y: np.broadcast_to(x, (3,)) + np.ravel(y).T,
            lambda x, y: np.where([True, False, True], x, y),
            lambda x, y: x * y,
        ],
    )
    @pytest.mark.parametrize("scale", [1, 2])
    def test_two_leaves_and_the_direction_share_nothing(self, function, scale):
        x, y = tracked([1, 2, 3]), tracked([4, 5, 6])
        direction = np.array([1.0, 1.0, 1.0])
        out = function(x, y)
        if scale != 1:  # the leaves then receive an array created by the engine
            out = out * scale
        out.backward(direction, retain_graph=True)
        first = x.grad.copy(), y.grad.copy()
        for written in (x.grad, y.grad, direction):
            before = [a.copy() for a in (x.grad, y.grad, direction, x.data, y.data, out.data)]
            written += 100
            after = [x.grad, y.grad, direction, x.data, y.data, out.data]
            changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
            assert sum(changed) == 1
            written -= 100
        x.grad[:] = y.grad[:] = -1
        x.zero_grad()
        y.zero_grad()
        out.backward(direction)
        np.testing.assert_array_equal(x.grad, first[0])
        np.testing.assert_array_equal(y.grad, first[1])

    def test_the_results_of_grad_share_nothing(self):
        x, y = tracked([1, 2, 3]), tracked([4, 5, 6])
        direction = np.ones(3)
        out = x + y
        results = grad(out, [x, y, x], direction, retain_graph=True)
        results[0].data[:] = 7
        assert direction.tolist() == [1, 1, 1]
        assert [r.tolist() for r in results[1:]] == [[1, 1, 1]] * 2
        assert [r.tolist() for r in grad(out, (x, y), direction)] == [[1, 1, 1]] * 2

    def test_a_later_gradient_does_not_overwrite_an_earlier_one(self):
        x = tracked([1, 2])
        (x * 2).sum().backward()
        kept = x.grad
        before = kept.copy()
        x.zero_grad()
        (x * 5).sum().backward()
        np.testing.assert_array_equal(kept, before)

    def test_a_retained_gradient_is_not_shared(self):
        x = tracked([1, 2])
        h = x + 1
        h.retain_grad()
        direction = np.ones(2)
        h.backward(direction)
        h.grad += 5
        assert x.grad.tolist() == [1, 1]
        assert direction.tolist() == [1, 1]

    def test_writing_into_a_leaf_does_not_change_its_gradient(self):
        x = tracked([1, 2])
        x.copy().backward(x.data)
        x.data[:] = 9
        assert x.grad.tolist() == [1, 2]


class TestGrad:
    def test_the_result_has_the_structure_of_the_inputs(self):
        x, y = tracked([2]), tracked([3])
        z = x * y
        one = grad(z, x, retain_graph=True)
        pair = grad(z, (x, y), retain_graph=True)
        some = grad(z, [y], retain_graph=True)
        assert (type(one), type(pair), type(some)) == (Tensor, tuple, list)
        assert ([t.tolist() for t in pair], some[0].tolist()) == ([[3.0], [2.0]], [2.0])
        assert one.tolist() == [3.0]
        assert not one.requires_grad

    def test_grad_does_not_set_the_attribute(self):
        x = tracked([2])
        grad(x * x, x)
        assert x.grad is None

    def test_without_create_graph_the_graph_is_freed(self):
        x = tracked([2])
        y = x * x
        grad(y, x)
        with pytest.raises(AutogradError):
            grad(y, x)

    def test_with_create_graph_a_gradient_can_be_differentiated_again(self):
        x = tracked([3])
        slopes, y = [], x**4
        for _ in range(4):
            y = grad(y, x, create_graph=True)
            slopes.append(y.item())
        assert slopes == [108.0, 108.0, 72.0, 24.0]

    def test_backward_through_a_gradient(self):
        x = tracked([3])
        slope = grad(x**3, x, create_graph=True)
        (slope * slope).backward()
        assert x.grad.tolist() == [2 * 27 * 18]

    def test_allow_unused_returns_none(self):
        x, unused = tracked([2]), tracked([3])
        found = grad(x * x, [x, unused], allow_unused=True)
        assert found[0].tolist() == [4.0]
        assert found[1] is None

    def test_with_respect_to_an_intermediate_tensor(self):
        x = tracked([2])
        h = x * x
        y = h * h
        assert grad(y, h, retain_graph=True).tolist() == [8.0]
        assert [t.tolist() for t in grad(y, (x, h))] == [[32.0], [8.0]]

    def test_the_graph_before_an_intermediate_tensor_is_kept(self):
        x = tracked([2])
        h = x * x
        assert grad(h * 3, h).tolist() == [3.0]
        assert grad(h, x).tolist() == [4.0]

    def test_gradient_of_a_tensor_with_respect_to_itself(self):
        x = tracked([2, 3])
        assert grad(x, x, np.array([1.0, 5.0])).tolist() == [1, 5]
        y = x * 2
        assert grad(y, y, np.array([1.0, 5.0])).tolist() == [1, 5]

    def test_gradients_of_several_outputs_are_summed(self):
        x = tracked([2, 3])
        outputs = [(x * x).sum(), x * 3]
        found = grad(outputs, x, [None, np.array([1.0, 10.0])])
        assert found.tolist() == [7, 36]

    def test_a_direction_is_differentiable_too(self):
        x, v = tracked([2]), tracked([5])
        product = grad(x**3, x, v, create_graph=True)
        assert grad(product, v, retain_graph=True).tolist() == [12.0]
        assert grad(product, x).tolist() == [60.0]

    def test_hessian_of_a_quadratic_form_row_by_row(self):
        a = np.array([[2.0, 1.0], [1.0, 4.0]])
        x = tracked([1, 2])
        slope = grad(x @ a @ x / 2, x, create_graph=True)
        rows = [grad(slope[i], x, retain_graph=True).tolist() for i in range(2)]
        assert rows == a.tolist()


class TestTensorMethods:
    def test_detach_returns_an_untracked_tensor_on_the_same_array(self):
        x = tracked([2])
        y = x * 3
        d = y.detach()
        assert d.data is y.data
        assert not d.requires_grad
        assert d.is_leaf
        (y * d).backward()
        assert x.grad.tolist() == [18.0]

    def test_requires_grad_can_be_switched_on_a_leaf(self):
        x = Tensor([2.0])
        assert x.requires_grad_() is x
        assert x.requires_grad
        assert not x.requires_grad_(False).requires_grad
        x.requires_grad = True
        assert (x * 2).requires_grad

    def test_repr_shows_what_is_tracked(self):
        x = Tensor([2.0], requires_grad=True)
        assert repr(x) == "Tensor([2.], requires_grad=True)"
        assert repr(x * 2) == "Tensor([4.], grad_fn=<MulBackward>)"
        assert repr(x.detach()) == "Tensor([2.])"

    @pytest.mark.parametrize(
        "make", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
    )
    @pytest.mark.parametrize("requires_grad", [True, False])
    def test_a_copy_requires_grad_if_its_original_does(self, make, requires_grad):
        x = Tensor([2.0, 3.0], requires_grad=requires_grad)
        x.name = "weights"
        y = make(x)
        assert type(y) is Tensor
        assert y.requires_grad is requires_grad
        assert y.name == "weights"
        assert y.is_leaf
        assert y.tolist() == x.tolist()
        if requires_grad:
            (y * y).sum().backward()
            assert y.grad.tolist() == [4.0, 6.0]
        assert x.grad is None

    def test_a_deep_copy_shares_nothing(self):
        x = tracked([2.0])
        (x * x).backward()
        y = copy.deepcopy(x)
        y.data[:] = 7
        (y * y).backward()
        assert x.tolist() == [2.0]
        assert x.grad.tolist() == [4.0]

    def test_in_place_on_a_result_rebinds_the_name(self):
        x = tracked([2])
        y = before = x * 3
        y += 1
        y *= y
        y.backward()
        assert before.tolist() == [6.0]
        assert (y.tolist(), x.grad.tolist()) == ([49.0], [42.0])

    def test_data_of_a_leaf_may_be_replaced(self):
        x = tracked([2])
        x.data = np.array([5.0])
        (x * x).backward()
        assert x.grad.tolist() == [10.0]

    @pytest.mark.parametrize(
        "data", [np.ones((2, 2)), np.ones(3, np.float32)], ids=["shape", "dtype"]
    )
    def test_a_gradient_fits_replaced_data(self, data):
        x = tracked([1, 1, 1])
        x.data = data
        (x * x).sum().backward()
        assert (x.grad.shape, x.grad.dtype) == (data.shape, data.dtype)


class TestFuncGrad:
    def test_arguments_may_be_numbers_arrays_or_tensors(self):
        square = func.grad(lambda x: (x * x).sum())
        assert square(3.0).item() == 6.0
        assert square(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
        x = Tensor([1.0, 2.0])
        assert square(x).tolist() == [2.0, 4.0]
        assert not x.requires_grad

    def test_nested_three_times(self):
        f = func.grad(func.grad(func.grad(lambda x: x**5)))
        assert f(2.0).item() == 240.0

    def test_argnums(self):
        def f(x, y, scale=1.0):
            return x * y * y * scale

        assert func.grad(f)(2.0, 3.0).item() == 9.0
        assert func.grad(f, argnums=1)(2.0, 3.0).item() == 12.0
        assert func.grad(f, argnums=-1)(2.0, 3.0).item() == 12.0
        both = func.grad(f, argnums=(1, 0))(2.0, 3.0, scale=10.0)
        assert type(both) is tuple
        assert [g.item() for g in both] == [120.0, 90.0]

    def test_an_inner_transform_may_use_the_outer_variable(self):
        mixed = func.grad(lambda y: func.grad(lambda x: x * y)(2.0))
        assert mixed(5.0).item() == 1.0
        cubic = func.grad(lambda y: y * func.grad(lambda x: x * x * y)(y))
        assert cubic(2.0).item() == 24.0  # y * 2 y * y, and 6 y**2

    def test_nested_transforms_do_not_confuse_their_variables(self):
        """Perturbation confusion: d/dx of x * d/dy (x + y) is 1, not 2."""
        f = func.grad(lambda x: x * func.grad(lambda y: x + y)(1.0))
        assert f(1.0).item() == 1.0

    def test_func_grad_and_grad_agree(self):
        x = tracked([0.5, 1.5])

        def f(x):
            return (np.sin(x) * x).sum()

        np.testing.assert_array_equal(func.grad(f)(x).data, grad(f(x), x).data)

    def test_the_gradient_of_a_constant_is_zero(self):
        assert func.grad(lambda x: Tensor(1.0))(np.ones(2)).tolist() == [0.0, 0.0]
        assert func.grad(lambda x, y: x * 1, argnums=(0, 1))(1.0, 2.0)[1].item() == 0.0

    def test_a_captured_parameter_gets_a_gradient_from_a_derivative(self):
        w = tracked([3.0])
        slope = func.grad(lambda x: (w * x * x).sum())(np.array([2.0]))
        assert slope.tolist() == [12.0]
        slope.backward()
        assert w.grad.tolist() == [4.0]

    def test_works_inside_no_grad_and_leaves_the_arguments_alone(self):
        x = tracked([2.0])
        with no_grad():
            assert func.grad(lambda x: x * x)(x).tolist() == [4.0]
        assert x.grad is None

    def test_keeps_the_name_of_the_function(self):
        def loss(x):
            """Return the loss."""

        assert func.grad(loss).__name__ == "loss"


@pytest.mark.parametrize("others", [(2.0,), (2, 3.0)])
def test_numbers_are_stacked_with_tensors(others):
    x = Tensor([1.0, 5.0], requires_grad=True)
    joined = np.stack([x[0], *others])
    joined[0].backward()
    assert joined.tolist() == [1.0, *others]
    assert x.grad.tolist() == [1.0, 0.0]
