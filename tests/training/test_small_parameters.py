"""Optimizers update small parameters together; the results equal those of separate updates."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import ModifiedError
from tinytorch_training import SGD, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop

OPTIMIZERS = {
    "sgd": (SGD, {"lr": 0.1}),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    "nesterov": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "adam": (Adam, {"lr": 0.1, "weight_decay": 0.1}),
    "amsgrad": (Adam, {"lr": 0.1, "amsgrad": True}),
    "adamw": (AdamW, {"lr": 0.1}),
    "rmsprop": (RMSprop, {"lr": 0.01}),
    "maximize": (SGD, {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    "adagrad": (Adagrad, {"lr": 0.1, "weight_decay": 0.1}),
    "nadam": (NAdam, {"lr": 0.1, "weight_decay": 0.1}),
    "radam": (RAdam, {"lr": 0.1, "betas": (0.8, 0.9)}),
    "lion": (Lion, {"lr": 0.01, "weight_decay": 0.1}),
    "centered": (RMSprop, {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
SHAPES = [(3, 2), (2,), (), (0,), (1, 5), (4,), (2, 2, 2), (7,), (3,), (1,), (6, 1), (2, 3)]


def separately(cls):
    """Return a subclass with an update that is not marked as elementwise."""

    class Separate(cls):
        def update(self, *args) -> None:
            super().update(*args)

    Separate.__name__ = cls.__name__  # states contain it
    return Separate


def parameters(dtype=np.float32, shapes=SHAPES, seed=0) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [Tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in shapes]


def with_gradients(optimizer, step: int) -> None:
    rng = np.random.default_rng(step)
    for p in optimizer.parameters():
        p.grad = np.asarray(rng.normal(size=p.shape).astype(p.dtype))


def pair(name: str, make=parameters):
    """Return an optimizer that updates small parameters together, and one that does not."""
    cls, options = OPTIMIZERS[name]
    return cls(make(), **options), separately(cls)(make(), **options)


def assert_equal_steps(pair, steps=range(3), change=lambda optimizer, step: None) -> None:
    for step in steps:
        for optimizer in pair:
            with_gradients(optimizer, step)
            change(optimizer, step)
            optimizer.step()
    values, expected = ([p.data for p in optimizer.parameters()] for optimizer in pair)
    np.testing.assert_equal(values, expected)
    found, expected = (optimizer.state_dict() for optimizer in pair)
    np.testing.assert_equal(found, expected)


@pytest.fixture
def updates():
    """The numbers of elements of the parameters that update ops were called with."""
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op, call):
        def listed(parameter, *args):
            seen.append(parameter.size)
            return call(parameter, *args)

        return listed if op.name.endswith("_update") else None

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="listing")
    yield seen
    plugins.unregister("listing")


@every_optimizer
def test_small_parameters_are_updated_by_one_call_of_the_op(name: str, updates) -> None:
    together, separate = pair(name, lambda: parameters(shapes=[*SHAPES, (200, 100)]))
    assert_equal_steps((together, separate), steps=range(4))
    small = sum(np.prod(shape, dtype=int) for shape in SHAPES)
    assert updates[:2] == [small, 20_000]
    assert len(updates) == 4 * (2 + len(SHAPES) + 1)


def several_dtypes() -> list[Tensor]:
    return [*parameters(np.float16), *parameters(np.float64), *parameters(np.float32, [(2,)] * 3)]


def in_fortran_order() -> list[Tensor]:
    tensors = parameters()
    for p in tensors:
        p.data = np.array(p.data, order="F")
    return tensors


def one_memory() -> list[Tensor]:
    """Return parameters of which some have the same memory, in whole or in part."""
    tensors = parameters(shapes=[(4,)] * 12)
    tensors[3].data = tensors[1].data
    tensors[5].data = tensors[7].data[::-1]
    memory = np.linspace(-1, 1, 6, dtype=np.float32)
    tensors[8].data, tensors[9].data = memory[:4], memory[2:]
    return tensors


def with_big_endian_arrays() -> list[Tensor]:
    tensors = parameters()
    for p in tensors[::3]:
        p.data = p.data.astype(p.dtype.newbyteorder(">"))
    return tensors


@every_optimizer
@pytest.mark.parametrize(
    "make",
    [several_dtypes, in_fortran_order, one_memory, with_big_endian_arrays],
    ids=lambda make: make.__name__,
)
def test_results_equal_those_of_separate_updates_for_any_arrays(name: str, make) -> None:
    assert_equal_steps(pair(name, make))


def no_gradient_in_some_steps(optimizer, step: int) -> None:
    for p in optimizer.parameters()[step % 3 :: 3]:
        p.grad = None


def shared_gradients(optimizer, step: int) -> None:
    tensors = optimizer.parameters()
    tensors[0].grad = tensors[11].grad.reshape(3, 2)
    tensors[8].grad = np.broadcast_to(np.float32(0.5), 3)


def wider_gradients(optimizer, step: int) -> None:
    for p in optimizer.parameters()[::2]:
        p.grad = p.grad.astype(np.float64)


def new_arrays(optimizer, step: int) -> None:
    if step == 1:
        for p in optimizer.parameters():
            p.data = p.data + 1


def new_shape(optimizer, step: int) -> None:
    if step == 1:  # before there is a state for the new shape
        optimizer.state.clear()
        for p in optimizer.parameters():
            p.data, p.grad = p.data.reshape(-1).copy(), p.grad.reshape(-1)


def new_group(optimizer, step: int) -> None:
    if step == 1:
        optimizer.add_param_group({"params": parameters(seed=9), "lr": 0.2})
        with_gradients(optimizer, step)


def other_parameters_in_the_group(optimizer, step: int) -> None:
    tensors = optimizer.parameters()
    small = [p for p in tensors if p.size < 1000]
    large = [p for p in tensors if p.size > 1000]
    if step == 1:
        large = parameters(shapes=[p.shape for p in large], seed=step)
    elif step == 2:
        small = parameters(seed=step)
    optimizer.param_groups[0]["params"] = [*small, *large]
    with_gradients(optimizer, step)


def other_options(optimizer, step: int) -> None:
    group = optimizer.param_groups[0]
    group["lr"] /= 2
    if "momentum" in group and step == 1:
        group["momentum"] = 0.7


def new_state(optimizer, step: int) -> None:
    if step == 1:
        optimizer.load_state_dict(optimizer.state_dict())
    elif step == 2:
        for state in list(optimizer.state.values())[:4]:
            arrays = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
            state.update({k: np.multiply(v, 2, out=v.copy()) for k, v in arrays.items()})
    elif step == 3:
        for state in list(optimizer.state.values())[:4]:
            state.update({k: 1 for k in state if k == "step"})
    elif step == 4:
        optimizer.state[optimizer.parameters()[2]] = {}
    elif step == 5:
        for p, state in optimizer.state.items():
            state.setdefault("momentum_buffer", np.zeros_like(p.data))


def modified_state(optimizer, step: int) -> None:
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, np.ndarray):
                value *= 0.5


CHANGES = [
    no_gradient_in_some_steps,
    shared_gradients,
    wider_gradients,
    new_arrays,
    new_shape,
    new_group,
    other_parameters_in_the_group,
    other_options,
    new_state,
    modified_state,
]


@every_optimizer
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_results_equal_those_of_separate_updates_after_changes(name: str, change) -> None:
    make = lambda: parameters(shapes=[*SHAPES, (60, 50)])  # noqa: E731
    assert_equal_steps(pair(name, make), steps=range(6), change=change)


@every_optimizer
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o)), copy.copy],
    ids=["deepcopy", "pickle", "copy"],
)
def test_copies_continue_like_the_original(name: str, copied) -> None:
    cls, options = OPTIMIZERS[name]
    optimizer, separate = pair(name)
    assert_equal_steps((optimizer, separate))
    twin = copied(optimizer)
    assert_equal_steps((twin, separate), steps=range(3, 6))
    fresh = cls(parameters(), **options)
    assert_equal_steps((fresh, separately(cls)(parameters(), **options)))


def test_pickled_optimizers_contain_the_state_only_once() -> None:
    together, separate = pair("adam")
    assert_equal_steps((together, separate))
    # The class of `separate` cannot be pickled.
    assert len(pickle.dumps(together)) < 1.1 * len(pickle.dumps(vars(separate)))


def test_arrays_of_parameters_stay_their_own() -> None:
    tensors = parameters()
    identities = [id(p.data) for p in tensors]
    optimizer = Adam(tensors)
    for step in range(3):
        with_gradients(optimizer, step)
        optimizer.step()
    assert [id(p.data) for p in tensors] == identities
    assert all(p.data.base is None for p in tensors)


def test_write_into_a_small_parameter_that_a_graph_needs_raises() -> None:
    tensors = parameters()
    optimizer = SGD(tensors, lr=0.1)
    loss = (tensors[0] * tensors[0]).sum()
    with_gradients(optimizer, 0)
    optimizer.step()
    with pytest.raises(ModifiedError, match="mul had saved"):
        loss.backward()


def test_failed_step_leaves_the_numbers_in_the_state_unchanged() -> None:
    optimizer = Adam(parameters())
    with_gradients(optimizer, 0)
    optimizer.step()
    with plugins.disable("training"), pytest.raises(AttributeError, match="'adam_update'"):
        optimizer.step()
    assert {state["step"] for state in optimizer.state.values()} == {1}


def test_update_of_a_subclass_gets_one_parameter_at_a_time() -> None:
    class ByNorm(SGD):
        """Divides each gradient by its norm, so parameters must not be joined."""

        def update(self, parameter, grad, state, group) -> None:
            super().update(parameter, grad / (1 + np.linalg.norm(grad)), state, group)

    optimizer = ByNorm(parameters(), lr=1.0)
    with_gradients(optimizer, 0)
    before = [p.data.copy() for p in optimizer.parameters()]
    optimizer.step()
    for p, old in zip(optimizer.parameters(), before, strict=True):
        step = p.grad / (1 + np.linalg.norm(p.grad))
        np.testing.assert_allclose(p.data, old - step, rtol=1e-6)
