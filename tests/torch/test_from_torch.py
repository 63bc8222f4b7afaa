"""Functions and modules of PyTorch as ops of Tensors."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import (
    LostGradientError,
    ModifiedError,
    func,
    grad,
    gradcheck,
    gradgradcheck,
    no_grad,
)
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import MSELoss
from tinytorch_modules import load_torch_state, torch_state
from tinytorch_training import SGD, Adam, Trainer

pytestmark = pytest.mark.peers
X = np.array([[0.5, -1.0], [2.0, 0.3], [1.0, 1.0]])


@pytest.fixture
def from_torch(torch):
    from tinytorch_torch import from_torch

    torch.manual_seed(0)
    return from_torch


class TestFunctions:
    def test_derivatives_of_every_order_equal_those_of_ours(self, torch, from_torch):
        theirs = from_torch(lambda x: (torch.sin(x) * x**2).sum())
        ours = lambda x: (np.sin(x) * x**2).sum()  # noqa: E731
        x = X[0]
        third = lambda f: func.jacobian(func.hessian(f))  # noqa: E731
        for transform in (func.grad, func.hessian, third):
            np.testing.assert_allclose(transform(theirs)(x), transform(ours)(x), rtol=1e-12)
        np.testing.assert_allclose(
            func.hvp(theirs)(x, np.ones(2)), func.hvp(ours)(x, np.ones(2)), rtol=1e-12
        )

    def test_gradients_pass_through_in_a_graph_of_ours(self, torch, from_torch):
        x = Tensor(X, requires_grad=True)
        y = np.exp(from_torch(torch.tanh)(x * 2)).sum()
        y.backward()
        np.testing.assert_allclose(x.grad, 2 * np.exp(np.tanh(2 * X)) / np.cosh(2 * X) ** 2)

    def test_gradcheck_accepts_several_inputs_and_results(self, torch, from_torch):
        def f(x, y, *, scale, both):
            values, indices = torch.max(x * scale["by"], dim=0)
            return {"product": x @ y, "max": (values * y[:, 0], indices), "note": both}

        def floats(x, y):
            found = from_torch(f)(x, y, scale={"by": np.array(3.0)}, both=True)
            assert found["note"] is True
            assert found["max"][1].dtype == np.int64
            return found["product"], found["max"][0]

        y = np.array([[1.0, 2.0], [3.0, -1.0]])
        assert gradcheck(floats, (X, y))
        assert gradgradcheck(floats, (X, y))

    def test_complex_numbers_have_the_gradients_of_ours(self, torch, from_torch):
        z = np.array([1 + 2j, -0.5 + 1j])
        theirs = from_torch(lambda z: (z * z * z.conj()).abs().sum())
        found = func.grad(theirs)(z)
        expected = func.grad(lambda z: np.abs(z * z * np.conj(z)).sum())(z)
        np.testing.assert_allclose(found, expected)

    def test_dtypes_are_kept(self, torch, from_torch):
        for dtype in (np.float32, np.float64):
            x = Tensor(np.ones(2, dtype), requires_grad=True)
            y = from_torch(torch.exp)(x)
            y.sum().backward()
            assert y.dtype == x.grad.dtype == dtype

    def test_any_layout_in_memory_is_taken(self, torch, from_torch):
        total = from_torch(lambda x: x.sum(0))
        read_only = np.broadcast_to(np.arange(2.0), (3, 2))
        assert total(Tensor(X[::-1])).tolist() == pytest.approx(X.sum(0).tolist())
        assert total(read_only).tolist() == [0, 3]
        assert total(X.T).shape == (3,)

    def test_without_tracked_inputs_nothing_is_recorded(self, torch, from_torch):
        x = Tensor(X, requires_grad=True)
        assert not from_torch(torch.exp)(X).requires_grad
        with no_grad():
            assert not from_torch(torch.exp)(x).requires_grad

    def test_draws_are_the_same_in_higher_derivatives(self, torch, from_torch):
        x = Tensor(np.ones(50), requires_grad=True)
        y = (from_torch(lambda x: torch.dropout(x, 0.5, train=True))(x) ** 2).sum()
        (slope,) = grad(y, [x], create_graph=True)
        (curvature,) = grad(slope.sum(), [x])
        np.testing.assert_allclose(slope.data, curvature.data)  # 8 where kept, else 0
        assert set(slope.tolist()) == {0.0, 8.0}

    def test_what_would_lose_a_gradient_is_an_error(self, torch, from_torch):
        weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
        x = Tensor(X, requires_grad=True)
        with pytest.raises(LostGradientError, match=r"shape \(2,\).*from_torch\(module\)"):
            from_torch(lambda x: x * weight)(x)
        assert from_torch(lambda x: x * weight.detach())(x).requires_grad
        y = from_torch(torch.exp)(x)
        y += 1
        assert y.requires_grad
        z = from_torch(torch.exp)(x)
        with no_grad():
            z *= 2
        with pytest.raises(ModifiedError):
            z.sum().backward()

    def test_dtypes_that_one_library_lacks_are_an_error(self, torch, from_torch):
        with pytest.raises(TypeError, match=r"no arrays of torch.bfloat16.*y\.float\(\)"):
            from_torch(lambda x: x.to(torch.bfloat16))(X)
        with pytest.raises(TypeError, match=r"PyTorch has no tensors of .*astype"):
            from_torch(torch.exp)(X.astype(np.longdouble))
        with pytest.raises(TypeError, match="a function or a torch"):
            from_torch(3)


class TestModules:
    def network(self, torch):
        return torch.nn.Sequential(
            torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
        ).double()

    def test_parameters_share_memory_both_ways(self, torch, from_torch):
        theirs = self.network(torch)
        ours = from_torch(theirs)
        names = [name for name, _ in theirs.named_parameters()]
        assert [name for name, _ in ours.named_parameters()] == names
        with torch.no_grad():
            theirs[0].bias.fill_(7)
        assert dict(ours.named_parameters())["0.bias"].tolist() == [7.0] * 4
        optimizer = SGD(ours.parameters(), lr=0.1)
        ours(X).sum().backward()
        optimizer.step()
        for name, parameter in ours.named_parameters():
            assert np.array_equal(parameter.data, theirs.get_parameter(name).detach().numpy())

    def test_our_training_equals_that_of_pytorch(self, torch, from_torch):
        theirs, other = self.network(torch), self.network(torch)
        other.load_state_dict(theirs.state_dict())
        ours = from_torch(theirs)
        target = np.array([[1.0], [0.0], [2.0]])
        optimizer, other_optimizer = (
            Adam(ours.parameters(), lr=0.1),
            torch.optim.Adam(other.parameters(), lr=0.1),
        )
        for _ in range(3):
            optimizer.zero_grad()
            MSELoss()(ours(X), target).backward()
            optimizer.step()
            other_optimizer.zero_grad()
            torch.nn.functional.mse_loss(
                other(torch.from_numpy(X)), torch.from_numpy(target)
            ).backward()
            other_optimizer.step()
        for name, value in other.state_dict().items():  # with the statistics of the batches
            np.testing.assert_allclose(theirs.state_dict()[name], value, atol=1e-8, err_msg=name)
        ours.eval()
        other.eval()
        np.testing.assert_allclose(
            ours(X).data, other(torch.from_numpy(X)).detach().numpy(), atol=1e-7
        )
        assert not theirs[1].training

    def test_gradients_with_respect_to_parameters_and_inputs_of_order_two(self, torch, from_torch):
        ours = from_torch(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh()).double())
        x = Tensor(X, requires_grad=True)
        (slope,) = grad((ours(x) ** 2).sum(), [x], create_graph=True)
        (slope**2).sum().backward()
        theirs = ours.torch_module
        again = torch.from_numpy(X).requires_grad_()
        (expected,) = torch.autograd.grad((theirs(again) ** 2).sum(), again, create_graph=True)
        (expected**2).sum().backward()
        np.testing.assert_allclose(x.grad, again.grad, rtol=1e-10)
        for name, parameter in ours.named_parameters():
            expected = theirs.get_parameter(name).grad
            np.testing.assert_allclose(parameter.grad, expected, rtol=1e-10, err_msg=name)

    def test_a_module_of_theirs_is_a_part_of_ours(self, torch, from_torch):
        model = Sequential(Linear(2, 4, generator=0), from_torch(torch.nn.GELU()), Linear(4, 1))
        history = Trainer(model, MSELoss(), Adam(model.parameters(), lr=0.05)).fit(
            X.astype(np.float32), np.ones((3, 1), np.float32), 20, generator=0
        )
        assert history["loss"][-1] < 0.5 * history["loss"][0]

    def test_states_and_tied_weights(self, torch, from_torch):
        theirs = torch.nn.Module()
        theirs.first = torch.nn.Linear(2, 2)
        theirs.second = torch.nn.Linear(2, 2)
        theirs.second.weight = theirs.first.weight
        theirs.forward = lambda x: theirs.second(theirs.first(x))
        ours = from_torch(theirs)
        assert len(list(ours.parameters())) == 3
        ours(np.ones((1, 2), np.float32)).sum().backward()
        theirs(torch.ones(1, 2)).sum().backward()
        np.testing.assert_allclose(ours.first.weight.grad, theirs.first.weight.grad, rtol=1e-6)
        state = {name: array + 1 for name, array in ours.state_dict().items()}
        ours.load_state_dict(state)
        x = np.ones((1, 2), np.float32)
        load_torch_state(
            other := from_torch(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 2).state_dict()
        )
        assert torch_state(other)["weight"].shape == (2, 2)
        assert ours(x).shape == (1, 2)

    def test_frozen_parameters_stay_frozen(self, torch, from_torch):
        theirs = torch.nn.Linear(2, 2)
        theirs.weight.requires_grad_(False)
        ours = from_torch(theirs)
        ours(np.ones((1, 2), np.float32)).sum().backward()
        assert ours.weight.grad is None
        assert ours.bias.grad.tolist() == [1, 1]

    def test_other_dtypes_than_that_of_the_parameters_are_an_error(self, torch, from_torch):
        ours = from_torch(torch.nn.Linear(2, 2))
        with pytest.raises(TypeError, match=r"float32, but got inputs of float64.*astype"):
            ours(X)
        with pytest.raises(RuntimeError, match="shape"):
            ours(X.astype(np.float32).T)

    def test_parameters_on_another_device_are_an_error(self, torch, from_torch):
        with pytest.raises(ValueError, match=r"on the CPU, not on meta.*module\.cpu\(\)"):
            from_torch(torch.nn.Linear(2, 2, device="meta"))

    def test_a_device_is_named_for_the_computation(self, torch, from_torch):
        theirs = torch.nn.BatchNorm1d(2).double()
        ours = from_torch(theirs, device="cpu")
        ours(X)
        assert theirs.num_batches_tracked == 1
        np.testing.assert_allclose(theirs.running_mean, 0.1 * X.mean(axis=0))

    def test_a_recorded_backward_pass_runs_the_module_as_it_was(self, torch, from_torch):
        theirs = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2)).double()
        ours = from_torch(theirs)
        x = Tensor(np.random.default_rng(0).normal(size=(40, 2)), requires_grad=True)
        y = ours(x)
        mean = theirs[1].running_mean.clone()
        (slope,) = grad((y**3).sum(), [x], retain_graph=True)
        torch.rand(3)  # draws in between change nothing
        theirs.eval()
        (recorded,) = grad((y**3).sum(), [x], create_graph=True)
        np.testing.assert_allclose(recorded.data, slope.data, rtol=1e-12)
        recorded.sum().backward()
        torch.testing.assert_close(theirs[1].running_mean, mean)
        assert not theirs[0].training
