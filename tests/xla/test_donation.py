"""The memory of the old state is used for the new one, and errors leave a state that is usable."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_xla as xla
from tinytorch_layers import Linear
from tinytorch_training import Adam

pytestmark = pytest.mark.peers("jax")

X = np.ones((2, 3), np.float32)


class Training:
    """A step with Adam; `fail` is called in the middle of it."""

    def __init__(self, donate=True, fail=lambda x: x):
        self.model = Linear(3, 2, generator=0)
        self.optimizer = Adam(self.model.parameters(), lr=0.1)
        self.fail = fail
        self.step = xla.jit(self._step, donate=donate)

    def _step(self, x):
        self.optimizer.zero_grad()
        loss = (self.model(x) ** 2).mean()
        loss.backward()
        self.model.weight.grad = self.fail(self.model.weight.grad)
        self.optimizer.step()
        return loss

    def state(self):
        return [p.data for p in self.model.parameters()] + [
            array for _, array in self.optimizer.named_state() if hasattr(array, "dtype")
        ]

    def values(self):
        return [np.array(array) for array in self.state()]

    def compiled(self):
        for _ in range(3):
            self.step(Tensor(X))
        return self


@pytest.mark.parametrize("donate", [True, False])
def test_the_memory_of_the_old_state_is_used_again(donate):
    training = Training(donate).compiled()
    before = training.state()
    assert all(isinstance(array, xla.Array) for array in before)
    training.step(Tensor(X))
    assert [array.value.is_deleted() for array in before] == [donate] * len(before)
    assert not any(array.value.is_deleted() for array in training.state())


def assert_goes_on(training, before):
    """Assert that the state is as before, that training continues, and that nothing is traced."""
    for one, other in zip(training.values(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    training.fail = lambda x: x
    for step in (training._step, training.step, training.step):
        assert np.isfinite(step(Tensor(X)).item())


def test_an_exception_while_the_step_is_traced():
    def fail(x):
        raise KeyError("in the middle")

    training = Training().compiled()
    before = training.values()
    training.fail = fail
    with pytest.raises(KeyError, match="in the middle"):
        training.step(Tensor(X))
    assert_goes_on(training, before)


def test_a_branch_on_a_value():
    training = Training().compiled()
    before = training.values()
    training.fail = lambda x: x if x.sum() > 0 else -x
    with pytest.raises(xla.TracedValueError):
        training.step(Tensor(X))
    assert_goes_on(training, before)


def test_a_function_that_fails_while_the_program_runs():
    import jax

    failing = []

    def on_processor(x):
        if failing:
            raise ValueError("no convergence")
        return np.asarray(x)

    def fail(x):
        if isinstance(x, np.ndarray):
            return x
        return xla.Array(jax.pure_callback(on_processor, x.value, x.value))

    training = Training(fail=fail).compiled()
    before = training.values()
    failing.append(True)
    with pytest.raises(Exception, match="no convergence"):
        training.step(Tensor(X))
    assert_goes_on(training, before)
