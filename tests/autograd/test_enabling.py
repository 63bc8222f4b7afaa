"""Enabling and disabling autograd, its modes, and what a program of the course calls."""

import threading
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_autograd import (
    Variable,
    add_autograd,
    disable_autograd,
    enable_autograd,
    enable_grad,
    grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

from .checks import tracked


class TestModes:
    def test_no_grad_and_enable_grad_nest(self):
        x = tracked([2])
        with no_grad():
            assert not (x * 2).requires_grad
            with enable_grad():
                assert (x * 2).requires_grad
                with no_grad():
                    assert not (x * 2).requires_grad
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad

    def test_an_error_inside_restores_the_mode(self):
        with pytest.raises(ZeroDivisionError), no_grad():
            _ = 1 / 0
        assert is_grad_enabled()

    def test_as_decorators(self):
        @no_grad()
        def plain(x):
            """Double the input."""
            return x * 2

        @enable_grad()
        def recorded(x):
            return x * 2

        @no_grad()
        def recursive(n):
            return recursive(n - 1) if n else is_grad_enabled()

        x = tracked([2])
        assert not plain(x).requires_grad
        assert (plain.__name__, plain.__doc__) == ("plain", "Double the input.")
        assert recursive(3) is False
        with no_grad():
            assert recorded(x).requires_grad
        assert is_grad_enabled()

    def test_one_object_may_be_entered_again(self):
        mode = no_grad()
        with mode, mode:
            assert not is_grad_enabled()
        assert is_grad_enabled()

    @pytest.mark.parametrize("mode", [True, False])
    def test_set_grad_enabled(self, mode):
        with set_grad_enabled(mode):
            assert is_grad_enabled() is mode

    def test_the_mode_is_per_thread(self):
        seen = []
        with no_grad():
            thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
            thread.start()
            thread.join()
            assert not is_grad_enabled()
        assert seen == [True]

    def test_backward_works_inside_no_grad(self):
        x = tracked([2])
        y = x * x
        with no_grad():
            y.backward()
            assert x.grad.tolist() == [4.0]
            slope = grad(enable_grad()(lambda: x**3)(), x, create_graph=True)
        assert grad(slope, x).tolist() == [12.0]

    def test_a_tensor_created_in_no_grad_can_be_a_leaf(self):
        with no_grad():
            x = Tensor([2.0], requires_grad=True)
        (x * 3).backward()
        assert x.grad.tolist() == [3.0]

    def test_a_step_of_gradient_descent(self):
        x = tracked([2.0])
        for _ in range(3):
            x.zero_grad()
            ((x - 5) ** 2).backward()
            with no_grad():
                x -= 0.5 * x.grad
            assert x.requires_grad
            assert x.is_leaf
        assert x.tolist() == [5.0]


class TestEnablingAndDisabling:
    def test_enabling_and_disabling_are_idempotent_and_silent(self, capsys):
        before = plugins.active()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with plugins.enable("autograd"):
                for switch in (enable_autograd, disable_autograd):
                    for _ in range(2):
                        assert switch() is None
                        assert hasattr(Tensor([1.0]), "backward") is (switch is enable_autograd)
        enable_autograd()
        assert plugins.active() == before
        assert capsys.readouterr() == ("", "")

    def test_tensors_created_while_autograd_was_off_work(self):
        with plugins.disable("autograd"):
            x, y = Tensor([2.0]), Tensor([3.0])
            z = x * y
        assert (x.requires_grad, x.grad, z.is_leaf) == (False, None, True)
        x.requires_grad_()
        (x * y * z).backward()
        assert x.grad.tolist() == [18.0]

    def test_a_graph_survives_disabling_autograd(self):
        x = tracked([2])
        y = x * x
        with plugins.disable("autograd"):
            assert not hasattr(y, "backward")
            untracked = y * 2
        assert not untracked.requires_grad
        y.backward()
        assert x.grad.tolist() == [4.0]

    def test_the_keyword_is_unknown_while_autograd_is_off(self):
        with plugins.disable("autograd"), pytest.raises(TypeError, match=r"autograd.*which is off"):
            Tensor([1.0], requires_grad=True)


class TestAddAutograd:
    def test_on_tensor_itself_it_enables_autograd(self):
        with plugins.disable("autograd"):
            assert add_autograd(Tensor) is Tensor
            assert hasattr(Tensor, "backward")

    def test_on_a_subclass_it_enables_autograd_for_all_tensors(self):
        with plugins.disable("autograd"):

            @add_autograd
            class Tracked(Tensor):
                pass

            class Other(Tracked):
                pass

            # In an op, the gradient of every operand counts, whatever its class.
            tensors = [kind([3.0], requires_grad=True) for kind in (Tracked, Tensor, Other)]
            for s in tensors:
                for t in tensors:
                    (s * t).sum().backward()
            assert [x.grad.tolist() for x in tensors] == [[18.0]] * 3
            assert type(tensors[0] * 2) is Tensor

    @pytest.mark.parametrize("other", [int, np.ndarray])
    def test_other_classes_are_refused(self, other):
        with pytest.raises(TypeError, match=r"subclass of Tensor"):
            add_autograd(other)


class TestVariable:
    def test_is_a_tensor_that_requires_grad(self):
        assert type(Variable(5.0)) is Tensor
        assert Variable(5.0).requires_grad
        assert not Variable(5.0, requires_grad=False).requires_grad
        assert Variable([1, 2], dtype=np.float64).dtype == np.float64
