"""Every layer, forward and backward, works on the arrays of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import (
    BatchNorm1d,
    Conv2d,
    Dropout,
    Embedding,
    Linear,
    Module,
    Sequential,
    init,
)

from .cases import CASES, Case, find, mixed


def with_strict_arrays(layer: Module) -> Module:
    """Return the layer with strict arrays as parameters and buffers."""
    for parameter in layer.parameters():
        parameter.data = StrictArray(parameter.data)
    for name, buffer in list(layer.named_buffers()):
        owner, last = find(layer, name)
        setattr(owner, last, StrictArray(buffer))
    return layer


def compute(case: Case, layer: Module, kind: Any, steps: int = 2) -> dict[str, Any]:
    """Return the output, the gradients and the buffers after some training steps."""
    for _ in range(steps):
        x = Tensor(kind(case.x()), requires_grad=case.floating)
        out = layer(x)
        out.backward(kind(mixed(out.shape, 0.5, 1.5)))
    found = {"output": out.data, "input": x.grad if case.floating else None}
    found |= {f"the gradient of {name}": p.grad for name, p in layer.named_parameters()}
    return {name: a for name, a in (found | dict(layer.named_buffers())).items() if a is not None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_layers_agree_with_ndarrays(case: Case) -> None:
    expected = compute(case, case.layer(), np.asarray)
    found = compute(case, with_strict_arrays(case.layer()), StrictArray)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert type(found[name]) is StrictArray, name
        assert found[name].dtype == array.dtype, name
        np.testing.assert_allclose(
            values_of(found[name]), array, rtol=1e-12, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("case", [c for c in CASES if c.floating], ids=lambda case: case.id)
def test_only_the_input_may_belong_to_another_library(case: Case) -> None:
    expected = case.layer()(Tensor(case.x()))
    found = case.layer()(Tensor(StrictArray(case.x())))
    np.testing.assert_allclose(values_of(found.data), expected.data, rtol=1e-12, atol=1e-12)


@pytest.fixture
def draws() -> Iterator[list[tuple[Any, str]]]:
    """Return the generator and the method of each draw; the numbers become strict arrays."""
    found: list[tuple[Any, str]] = []

    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        def watched(generator: Any, method: str, arguments: Any) -> Any:
            found.append((generator, method))
            return StrictArray(call(generator, method, arguments))

        return watched if op.name == "random_draw" else None

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="draws")
    yield found
    plugins.unregister("draws")


def test_a_plugin_sees_every_mask_with_its_generator(draws: Any) -> None:
    x = np.ones((20, 3), np.float32)
    layer = Dropout(0.5, generator=0)
    found = [layer(Tensor(StrictArray(x))) for _ in range(2)]
    assert draws == [(layer.generator, "random")] * 2
    with plugins.disable("draws"):
        twin = Dropout(0.5, generator=0)
        expected = [twin(Tensor(x)) for _ in range(2)]
    for out, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values_of(out.data), other.data)
    assert not np.array_equal(expected[0].data, expected[1].data)


@pytest.mark.parametrize(
    "create",
    [
        lambda generator: Linear(4, 3, generator=generator),
        lambda generator: Conv2d(2, 3, 3, generator=generator),
        lambda generator: Embedding(5, 3, padding_idx=1, generator=generator),
    ],
    ids=["Linear", "Conv2d", "Embedding"],
)
def test_a_plugin_sees_every_initial_value_with_its_generator(create: Any, draws: Any) -> None:
    generator = np.random.default_rng(0)
    layer = create(generator)
    assert {drawn for drawn, _ in draws} == {generator}
    with plugins.disable("draws"):
        expected = create(np.random.default_rng(0))
    for parameter, other in zip(layer.parameters(), expected.parameters(), strict=True):
        assert type(parameter.data) is StrictArray
        np.testing.assert_array_equal(values_of(parameter.data), other.data)


def test_numbers_are_drawn_while_the_plugin_is_off() -> None:
    with plugins.disable("layers"):
        drawn = init.normal((3,), generator=0)
    np.testing.assert_array_equal(drawn, init.normal((3,), generator=0))


@pytest.mark.parametrize("kind", [np.asarray, StrictArray])
def test_a_state_is_loaded_into_arrays_of_another_library(kind: Any) -> None:
    layer = with_strict_arrays(BatchNorm1d(3))
    state = {
        name: np.full(array.shape, 2, array.dtype) for name, array in layer.state_dict().items()
    }
    layer.load_state_dict({name: kind(array) for name, array in state.items()})
    for name, array in layer.state_dict().items():
        assert type(array) is StrictArray
        assert array.dtype == state[name].dtype
        np.testing.assert_array_equal(values_of(array), state[name])


def test_a_buffer_is_replaced_by_its_dotted_name() -> None:
    model = Sequential(Linear(2, 2), Sequential(BatchNorm1d(2)))
    array = StrictArray(np.ones(2, np.float32))
    model.set_buffer("1.0.running_mean", array)
    assert model[1][0].running_mean is array
    assert dict(model.named_buffers())["1.0.running_mean"] is array
    with pytest.raises(ValueError, match=r"no buffer '1.0.running_men'.*running_mean"):
        model.set_buffer("1.0.running_men", array)
    with pytest.raises(ValueError, match=r"no buffer '0\.weight'"):
        model.set_buffer("0.weight", array)
    with pytest.raises(TypeError, match="must be an array"):
        model.set_buffer("1.0.running_mean", "text")
