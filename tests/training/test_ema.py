"""EMA: averages, swapping, states and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import BatchNorm1d, Linear, Sequential
from tinytorch_training import EMA, SGD, load_checkpoint, save_checkpoint

X = np.random.default_rng(0).normal(size=(8, 3))


def network() -> Sequential:
    return Sequential(Linear(3, 4, generator=0, dtype=np.float64), BatchNorm1d(4, dtype=np.float64))


def train(model: Sequential, ema: EMA, steps: int) -> list[dict[str, Any]]:
    """Return the weights and buffers of the model after each step."""
    optimizer, seen = SGD(model.parameters(), lr=0.5, momentum=0.9), []
    for step in range(steps):
        optimizer.zero_grad()
        ((model(Tensor(X + step)) - 1) ** 2).mean().backward()
        optimizer.step()
        ema.update()
        seen.append(model.state_dict())
    return seen


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(values_of(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_follow_the_formula(use_buffers: bool) -> None:
    model = network()
    ema = EMA(model, decay=0.8, use_buffers=use_buffers)
    seen = train(model, ema, 5)
    with ema.averaged():
        found = model.state_dict()
    names = [name for name, _ in model.named_parameters()]
    for name, last in seen[-1].items():
        expected = seen[0][name]
        for state in seen[1:]:
            expected = 0.8 * expected + 0.2 * state[name]
        is_averaged = name in names or (use_buffers and last.dtype.kind == "f")
        close(found[name], expected if is_averaged else last)
    assert ema.n_averaged == 5


@pytest.mark.peers
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_equal_those_of_pytorch(use_buffers: bool, torch: Any) -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model, theirs = network(), torch.nn.Linear(3, 4).double()
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    ema = EMA(model, 0.8, use_buffers)
    for step in range(20):
        for p, q in zip((model[0].weight, model[0].bias), theirs.parameters(), strict=True):
            p.data = np.sin(np.arange(p.size) * (step + 1)).reshape(p.shape)
            q.data = torch.tensor(p.data.T)
        ema.update()
        averaged.update_parameters(theirs)
    with ema.averaged():
        close(model[0].weight.data, averaged.module.weight.detach().numpy().T)
        close(model[0].bias.data, averaged.module.bias.detach().numpy())


def test_the_model_gets_its_own_arrays_back_after_an_exception() -> None:
    model = network()
    ema = EMA(model, 0.5, use_buffers=True)
    train(model, ema, 3)
    arrays = [p.data for p in model.parameters()] + [b for _, b in model.named_buffers()]
    before = ema.state_dict()

    def interrupted() -> None:
        with ema.averaged():
            for p in model.parameters():
                p.data[...] = 7
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    after = [p.data for p in model.parameters()] + [b for _, b in model.named_buffers()]
    assert all(one is two for one, two in zip(arrays, after, strict=True))
    np.testing.assert_equal(ema.state_dict(), before)


def test_state_restores_another_average(tmp_path: Any) -> None:
    model, other = network(), network()
    ema, twin = EMA(model, 0.9, use_buffers=True), EMA(other, 0.9, use_buffers=True)
    train(model, ema, 3)
    save_checkpoint(tmp_path / "run", {"model": model.state_dict(), "ema": ema.state_dict()})
    saved = load_checkpoint(tmp_path / "run")
    other.load_state_dict(saved["model"])
    twin.load_state_dict(saved["ema"])
    train(model, ema, 2)
    train(other, twin, 2)
    np.testing.assert_equal(twin.state_dict(), ema.state_dict())


def test_arrays_of_another_library() -> None:
    model, other = network(), network()
    for parameter in other.parameters():
        parameter.data = StrictArray(parameter.data)
    for name, buffer in list(other.named_buffers()):
        other.set_buffer(name, StrictArray(buffer))
    ema, twin = EMA(model, 0.9, use_buffers=True), EMA(other, 0.9, use_buffers=True)
    train(model, ema, 3)
    train(other, twin, 3)
    with twin.averaged():
        assert all(type(p.data) is StrictArray for p in other.parameters())
    for name, average in twin.state_dict()["averages"].items():
        close(average, ema.state_dict()["averages"][name])


def test_a_model_that_was_converted_keeps_its_average() -> None:
    model = network()
    ema = EMA(model, 0.5)
    train(model, ema, 2)
    model.to(np.float32)
    ema.update()
    assert {a.dtype for a in ema.state_dict()["averages"].values()} == {np.dtype(np.float32)}


def test_wrong_uses_raise() -> None:
    model = network()
    ema = EMA(model)
    with ema.averaged():
        with pytest.raises(RuntimeError, match=r"update\(\) of EMA was called in a block of aver"):
            ema.update()
        with pytest.raises(RuntimeError, match=r"averaged\(\) of EMA .* call it after the block"):
            ema.averaged().__enter__()
    model.append(Linear(4, 2))
    for use in (ema.update, ema.averaged().__enter__):
        with pytest.raises(ValueError, match=r"the model and this EMA have .*only one.* 2.bias, 2"):
            use()
    with pytest.raises(TypeError, match=r"model of EMA must be a Module, but list has no named_p"):
        EMA([])
    with pytest.raises(ValueError, match=r"decay of EMA must be from 0 to 1, not 1\.5"):
        EMA(model, 1.5)
    with pytest.raises(TypeError, match="use_buffers of EMA must be True or False"):
        EMA(model, 0.5, 1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"averages": None}, TypeError, "averages of EMA must be a dict, not None"),
        ({"averages": {}}, ValueError, "this state and this EMA have different weights"),
        ({"n_averaged": -1}, ValueError, "n_averaged of EMA must be 0 or more"),
        ({"n_averaged": None}, TypeError, "n_averaged of EMA must be an integer"),
    ],
)
def test_states_that_do_not_fit_change_nothing(
    change: Any, error: type[Exception], message: str
) -> None:
    ema = EMA(network())
    before = ema.state_dict()
    with pytest.raises(error, match=message):
        ema.load_state_dict({**before, **change})
    wrong = {**before["averages"], "0.bias": np.zeros(9)}
    with pytest.raises(ValueError, match=r"0.bias has shape \(9,\) in this state, but \(4,\)"):
        ema.load_state_dict({**before, "averages": wrong})
    np.testing.assert_equal(ema.state_dict(), before)
