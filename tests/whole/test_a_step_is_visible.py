"""Every op of a training step, forward and backward, passes through `tinytorch_wrap_op`.

A plugin can therefore record a whole step and replay it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_activations import relu
from tinytorch_autograd import grad
from tinytorch_losses import cross_entropy


@pytest.fixture(params=["inside", "outside"])
def op_calls(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, list[Any], Any]]]:
    """Return the list of ops that run: name, arguments and result of each."""
    calls: list[tuple[str, list[Any], Any]] = []

    @hookimpl(stage=request.param)
    def tinytorch_wrap_op(op: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def logged(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            calls.append((op.name, [*args, *kwargs.values()], result))
            return result

        return logged

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="logging")
    yield calls
    plugins.unregister("logging")


def test_every_gradient_is_computed_by_wrapped_ops(
    op_calls: list[tuple[str, list[Any], Any]],
) -> None:
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((8, 4)))
    targets = rng.integers(0, 3, 8)
    weights = [Tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 5), (5, 3))]
    biases = [Tensor(rng.standard_normal(s), requires_grad=True) for s in (5, 3)]
    parameters = [*weights, *biases]

    hidden = relu(x @ weights[0] + biases[0])
    loss = cross_entropy(hidden @ weights[1] + biases[1], targets)
    forward = [name for name, _, _ in op_calls]
    assert forward == ["matmul", "add", "relu", "matmul", "add", "cross_entropy"]

    gradients = grad(loss, parameters, create_graph=True)
    backward = [name for name, _, _ in op_calls[len(forward) :]]
    assert backward.count("matmul") == 3
    # The only array that no op computes is the gradient of the loss with respect to itself, 1.
    start = [np.ones_like(loss.data)]
    known = {id(a) for a in (x.data, *(p.data for p in parameters))}
    for name, arguments, result in op_calls:
        for array in _arrays(arguments):
            new = id(array) not in known and not any(np.array_equal(array, s) for s in start)
            assert not new, f"{name} got an array that no wrapped op computed"
        known |= {id(array) for array in _arrays([result])}
    for gradient in gradients:
        assert id(gradient.data) in known


def _arrays(values: list[Any]) -> list[np.ndarray]:
    return [v.data for v in values if isinstance(v, Tensor)]
