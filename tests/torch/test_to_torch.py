"""Functions and Modules of TinyTorch in torch.autograd."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import Tanh
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import cross_entropy

pytestmark = pytest.mark.peers
X = np.array([[0.5, -1.0], [2.0, 0.3], [1.0, 1.0]])


@pytest.fixture
def to_torch(torch):
    from tinytorch_torch import to_torch

    return to_torch


def tracked(torch, array=X):
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


class TestFunctions:
    @pytest.mark.parametrize(
        "f",
        [
            lambda x: np.sum(np.sin(x) * x),
            lambda x: np.linalg.inv(x.T @ x),
            lambda x: (np.sort(x, axis=0), np.exp(x)),
            lambda x: {"loss": cross_entropy(x, np.array([0, 1, 1])), "x": [x * 2]},
        ],
    )
    def test_pytorch_accepts_the_derivatives(self, torch, to_torch, f):
        def flat(*args):
            found = to_torch(f)(*args)
            return tuple(found.values())[:1] if isinstance(found, dict) else found

        assert torch.autograd.gradcheck(flat, (tracked(torch),))
        assert torch.autograd.gradgradcheck(flat, (tracked(torch),))

    def test_several_arguments_of_which_some_need_no_gradient(self, torch, to_torch):
        f = to_torch(lambda x, y, *, power, name: x * y**power if name else x)
        x, y = tracked(torch), torch.from_numpy(X + 3)
        f(x, y, power=2, name="yes").sum().backward()
        np.testing.assert_allclose(x.grad, (X + 3) ** 2)
        assert not f(y, y, power=2, name="yes").requires_grad
        with torch.no_grad():
            assert not f(x, y, power=2, name="yes").requires_grad
        assert torch.autograd.gradgradcheck(
            lambda x, y: f(x, y, power=3, name="yes"), (tracked(torch), tracked(torch, X + 3))
        )

    def test_the_gradient_of_an_unused_argument_is_0(self, torch, to_torch):
        x, unused = tracked(torch), tracked(torch, [np.inf, np.nan])
        to_torch(lambda x, unused: x * 2)(x, unused).sum().backward()
        np.testing.assert_array_equal(unused.grad, [0.0, 0.0])

    def test_whole_numbers_have_no_gradient(self, torch, to_torch):
        indices, values = to_torch(lambda x: (np.argmax(x, axis=1), np.max(x, axis=1)))(
            tracked(torch)
        )
        assert (indices.dtype, indices.requires_grad) == (torch.int64, False)
        values.sum().backward()

    def test_both_libraries_in_one_graph(self, torch, to_torch):
        from tinytorch_torch import from_torch

        there_and_back = to_torch(from_torch(lambda x: torch.sin(x) * x))
        assert torch.autograd.gradcheck(there_and_back, (tracked(torch),))
        x = tracked(torch)
        (torch.exp(to_torch(np.tanh)(x * 2))).sum().backward()
        np.testing.assert_allclose(x.grad, 2 * np.exp(np.tanh(2 * X)) / np.cosh(2 * X) ** 2)

    def test_errors_name_what_to_do(self, torch, to_torch):
        with pytest.raises(ValueError, match=r"on the CPU, not on meta; pass x\.cpu\(\)"):
            to_torch(np.exp)(torch.ones(2, device="meta"))
        with pytest.raises(TypeError, match="must return Tensors, not str"):
            to_torch(lambda x: "text")(tracked(torch))
        with pytest.raises(TypeError, match=r"NumPy has no arrays of torch\.bfloat16"):
            to_torch(np.exp)(torch.ones(2, dtype=torch.bfloat16))
        with pytest.raises(TypeError, match="a function or a Module"):
            to_torch(3)


class TestModules:
    def network(self):
        return Sequential(
            Linear(2, 4, dtype=np.float64, generator=0),
            BatchNorm1d(4, dtype=np.float64),
            Tanh(),
            Linear(4, 1, dtype=np.float64, generator=0),
        )

    def test_an_optimizer_of_pytorch_trains_the_module(self, torch, to_torch):
        model, other = self.network(), self.network()
        theirs = to_torch(model)
        names = [name for name, _ in model.named_parameters()]
        assert [name for name, _ in theirs.named_parameters()] == names
        optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (theirs(torch.from_numpy(X)) ** 2).mean().backward()
            optimizer.step()
            other.zero_grad()
            (other(X) ** 2).mean().backward()
            for parameter in other.parameters():
                parameter.data -= 0.1 * parameter.grad
        for (name, found), expected in zip(
            model.named_parameters(), other.parameters(), strict=True
        ):
            np.testing.assert_allclose(found.data, expected.data, rtol=1e-10, err_msg=name)
            assert found.grad is None  # the gradients are PyTorch's
        theirs.eval()(torch.from_numpy(X))
        assert not model.training

    def test_second_derivatives_with_respect_to_parameters_and_inputs(self, torch, to_torch):
        model = Sequential(Linear(2, 3, dtype=np.float64, generator=0), Tanh())
        theirs = to_torch(model)
        x = tracked(torch)
        (slope,) = torch.autograd.grad((theirs(x) ** 2).sum(), x, create_graph=True)
        (slope**2).sum().backward()

        again = Tensor(X, requires_grad=True)
        from tinytorch_autograd import grad

        (expected,) = grad((model(again) ** 2).sum(), [again], create_graph=True)
        (expected**2).sum().backward()
        np.testing.assert_allclose(x.grad, again.grad, rtol=1e-10)
        for name, parameter in theirs.named_parameters():
            ours = dict(model.named_parameters())[name].grad
            np.testing.assert_allclose(parameter.grad, ours, rtol=1e-10, err_msg=name)

    def test_replaced_parameters_are_used(self, torch, to_torch):
        model = Linear(2, 1, dtype=np.float64, generator=0)
        theirs = to_torch(model)
        theirs.weight.data = torch.zeros(2, 1, dtype=torch.float64)
        theirs.bias.data = torch.ones(1, dtype=torch.float64)
        assert theirs(torch.from_numpy(X)).tolist() == [[1.0]] * 3
        assert model(X).tolist() == [[1.0]] * 3
        assert theirs.tinytorch_module is model
        theirs.load_state_dict({k: v + 1 for k, v in theirs.state_dict().items()})
        assert model.bias.tolist() == [2.0]

    def test_a_recorded_backward_pass_does_not_run_the_module_again(self, torch, to_torch):
        """Another run would draw other numbers, and update the running statistics again."""
        dropout, norm = Dropout(0.5), BatchNorm1d(2, dtype=np.float64)
        theirs = to_torch(Sequential(dropout, norm))
        x = tracked(torch, np.random.default_rng(0).normal(size=(40, 2)))
        y = theirs(x)
        mean = norm.running_mean.copy()
        (slope,) = torch.autograd.grad((y**3).sum(), x, retain_graph=True)
        (recorded,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
        torch.testing.assert_close(recorded, slope)
        recorded.sum().backward()
        np.testing.assert_array_equal(norm.running_mean, mean)
