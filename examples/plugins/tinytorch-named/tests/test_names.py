"""Names: setting and changing them, and where they survive although no op runs."""

import copy
import pickle

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_autograd import GradientTape, checkpoint, func, grad
from tinytorch_layers import Linear, Module, Parameter
from tinytorch_named import NamesError
from tinytorch_training import SGD

NAMES = ("batch", "feature")


def matrix(**keywords):
    return Tensor(np.arange(6.0).reshape(2, 3), names=NAMES, **keywords)


def test_names_are_given_by_a_keyword_or_assigned():
    x = Tensor([[1.0, 2.0]], names=["batch", None])
    assert x.names == ("batch", None)
    x.names = NAMES
    assert repr(x) == "Tensor([[1., 2.]], names=('batch', 'feature'))"
    x.names = None
    assert x.names == Tensor([[1.0]]).names == (None, None)
    assert repr(x) == "Tensor([[1., 2.]])"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("batch",), r"\('batch',\) names 1 axes, but the tensor of shape \(2, 3\) has 2"),
        (("a", "a"), "contains 'a' twice"),
        (("a", "b c"), "'b c' in .* cannot name an axis"),
        (("a", 1), "1 in .* cannot name an axis"),
    ],
)
def test_invalid_names_are_errors(names, message):
    with pytest.raises(NamesError, match=message):
        Tensor(np.zeros((2, 3)), names=names)
    x = matrix()
    with pytest.raises(NamesError, match=message):
        x.rename(*names)
    with pytest.raises(NamesError, match=message):
        x.names = names
    assert x.names == NAMES


def test_rename_returns_a_view():
    x = matrix()
    assert x.rename("a", "b").names == ("a", "b")
    assert x.rename(batch="b").names == ("b", "feature")
    assert x.rename(batch=None).names == (None, "feature")
    assert x.rename(None).names == (None, None)
    assert Tensor([1.0], names=("a",)).rename(None).names == (None,)
    assert x.names == NAMES
    assert np.shares_memory(x.rename("a", "b").data, x.data)
    with pytest.raises(NamesError, match=r"'bach'.*Did you mean 'batch'"):
        x.rename(bach="b")
    with pytest.raises(TypeError, match="rename"):
        x.rename("a", "b", batch="b")


def test_align_to_reorders_and_adds_axes():
    x = matrix()
    y = x.align_to("feature", "time", "batch")
    assert (y.names, y.shape) == (("feature", "time", "batch"), (3, 1, 2))
    assert x.align_to("new", "...").names == ("new", *NAMES)
    np.testing.assert_array_equal(x + x.T.align_to("batch", "feature"), 2 * x.data)
    with pytest.raises(NamesError, match="lacks 'batch'"):
        x.align_to("feature")
    with pytest.raises(
        NamesError, match=r"align_to: an axis is unnamed in \(None, 'feature'\) of shape"
    ):
        x.rename(batch=None).align_to("feature", "...")


COPIES = {
    "Tensor": Tensor,
    "Tensor with a dtype": lambda x: Tensor(x, dtype=np.float32),
    "Parameter": Parameter,
    "copy": lambda x: x.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "view": lambda x: x[:],
    "detach": lambda x: x.detach(),
    "astype": lambda x: x.astype(np.float32),
}


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
def test_names_survive_copies(made, tracked):
    assert made(matrix(requires_grad=tracked)).names == NAMES


def test_names_given_to_a_copy_replace_those_of_the_original():
    assert Tensor(matrix(), names=("a", "b")).names == ("a", "b")


def test_names_survive_while_the_plugin_is_off():
    x = matrix()
    with plugins.disable("named"):
        assert not hasattr(x, "names")
        assert repr(x).endswith("dtype=float64)")
        y, kept = x * 2, x
    assert (kept.names, y.names) == (NAMES, (None, None))
    with plugins.disable("autograd"):
        assert (x * 2).sum("batch").names == ("feature",)
        assert not hasattr(x, "named_grad")


def test_parameters_of_a_module_keep_their_names_in_training():
    class Model(Module):
        def __init__(self):
            super().__init__()
            self.weight = Parameter(Tensor(np.ones((3, 2)), names=("feature", "hidden")))

        def forward(self, x):
            return x @ self.weight

    model = Model()
    optimizer = SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        out = model(matrix())
        assert out.names == ("batch", "hidden")
        out.sum().backward()
        optimizer.step()
    model.load_state_dict(model.state_dict())
    assert model.weight.names == ("feature", "hidden")
    assert model.weight.named_grad.names == ("feature", "hidden")


def test_a_linear_layer_keeps_the_batch():
    x = Tensor(np.ones((2, 3), np.float32), names=NAMES)
    assert Linear(3, 4)(x).names == ("batch", None)


GRADIENTS = {
    "grad": lambda f, x: grad(f(x), x),
    "create_graph": lambda f, x: grad(f(x), x, create_graph=True),
    "second order": lambda f, x: grad(grad(f(x), x, create_graph=True).sum(), x),
    "func.grad": lambda f, x: func.grad(f)(x),
    "func.hvp": lambda f, x: func.hvp(f)(x, x),
    "func.grad of untracked": lambda f, x: func.grad(f)(x.detach()),
    "checkpoint": lambda f, x: grad(checkpoint(f, x), x, create_graph=True),
    "named_grad": lambda f, x: f(x).backward() or x.named_grad,
}


@pytest.mark.parametrize("gradient", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_have_the_names_of_the_input(gradient):
    seen = []

    def f(x):
        seen.append(x.names)
        y = np.sort(x, axis=0).cumsum(1)
        return (y**3).sum() + np.linalg.norm(x @ x.T)

    x = matrix(requires_grad=True)
    found = gradient(f, x)
    assert found.names == NAMES
    assert set(seen) == {NAMES}
    unnamed = Tensor(x.data, requires_grad=True)
    np.testing.assert_array_equal(found.data, gradient(f, unnamed).data)


def test_a_tape_returns_named_gradients():
    x = matrix(requires_grad=True)
    with GradientTape() as tape:
        y = (x * x).sum("feature")
    assert tape.gradient(y, x).names == NAMES


def test_names_of_the_first_gradient_do_not_enter_the_backward_pass():
    x = matrix(requires_grad=True)
    y = x.T @ x  # rules transpose and add gradients, in which one name would be on two axes
    seed = Tensor(np.ones((3, 3)), names=("p", "q"), requires_grad=True)
    assert grad(y, x, seed, create_graph=True).names == NAMES


def test_the_gradient_is_none_before_a_backward_pass():
    x = matrix(requires_grad=True)
    assert x.named_grad is None
    (x * 2).sum().backward()
    assert isinstance(x.grad, np.ndarray)
    assert np.shares_memory(x.named_grad.data, x.grad)
