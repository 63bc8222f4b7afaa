"""GradScaler: the scale, skipped steps, and errors."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_amp import GradScaler, autocast
from tinytorch_layers import Linear, Sequential
from tinytorch_training import SGD, Adam, clip_grad_norm


def parameter(value=1.0):
    return Tensor(np.array([value], np.float32), requires_grad=True)


def step(scaler, p, optimizer, slope):
    """Make one step with this gradient; return whether it was made."""
    optimizer.zero_grad()
    scaler.scale((p * Tensor([1.0])).sum()).backward()
    p.grad = p.grad * np.float32(slope)
    made = scaler.step(optimizer)
    scaler.update()
    return made


def test_the_gradients_are_divided_by_the_scale():
    p = parameter()
    optimizer, scaler = SGD([p], lr=0.5), GradScaler(init_scale=1024.0)
    loss = (p * 3).sum()
    assert scaler.scale(loss).item() == 3 * 1024
    scaler.scale(loss).backward()
    assert p.grad.tolist() == [3 * 1024]
    assert scaler.step(optimizer)
    assert p.grad.tolist() == [3.0]
    assert p.tolist() == [-0.5]


def test_the_scale_falls_after_a_skipped_step_and_grows_after_an_interval():
    p = parameter()
    optimizer = SGD([p], lr=1.0)
    scaler = GradScaler(init_scale=8.0, growth_interval=3)
    slopes = [1, 1, np.inf, 1, 1, 1, np.nan, -np.inf, 1]
    found = [(step(scaler, p, optimizer, s), scaler.get_scale()) for s in slopes]
    assert found == [
        (True, 8), (True, 8), (False, 4), (True, 4), (True, 4), (True, 8),
        (False, 4), (False, 2), (True, 2),
    ]  # fmt: skip
    assert p.tolist() == [1.0 - 6]


def test_the_scale_stays_finite():
    p = parameter()
    scaler = GradScaler(init_scale=2.0**127, growth_interval=1)
    step(scaler, p, SGD([p], lr=1e-30), 1e-30)
    assert scaler.get_scale() == 2.0**127


def test_gradients_can_be_clipped():
    p = parameter()
    optimizer, scaler = SGD([p], lr=1.0), GradScaler()
    scaler.scale((p * 100).sum()).backward()
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [100.0]
    clip_grad_norm([p], 1.0)
    assert scaler.step(optimizer)
    np.testing.assert_allclose(p.data, 0.0, atol=1e-6)


def test_several_optimizers_and_losses():
    p, q = parameter(), parameter()
    first, second, scaler = SGD([p], lr=1.0), SGD([q], lr=1.0), GradScaler(init_scale=4.0)
    for loss in scaler.scale([(p * 2).sum(), (q * np.inf).sum()]):
        loss.backward()
    assert (scaler.step(first), scaler.step(second)) == (True, False)
    scaler.update()
    assert scaler.get_scale() == 2.0
    assert (p.tolist(), q.tolist()) == ([-1.0], [1.0])


def test_a_scaler_that_is_off_changes_nothing():
    p = parameter()
    optimizer, scaler = SGD([p], lr=1.0), GradScaler(enabled=False)
    loss = (p * 3).sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    assert scaler.step(optimizer)
    scaler.update()
    assert (p.tolist(), scaler.get_scale(), scaler.state_dict()) == ([-2.0], 1.0, {})
    assert not scaler.is_enabled()


def test_a_wrong_order_of_calls_is_an_error():
    p = parameter()
    optimizer, scaler = SGD([p], lr=1.0), GradScaler()
    with pytest.raises(RuntimeError, match=r"update\(\) needs a call of step"):
        scaler.update()
    scaler.scale((p * 3).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    for again in (scaler.step, scaler.unscale_):
        with pytest.raises(RuntimeError, match=r"step\(\) has been called"):
            again(optimizer)
    scaler.update()
    assert (p.tolist(), p.grad.tolist()) == ([-2.0], [3.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("init_scale", 0.0),
        ("init_scale", np.inf),
        ("growth_factor", 1.0),
        ("backoff_factor", 1.0),
        ("growth_interval", 0),
    ],
)
def test_invalid_options_are_errors(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        GradScaler(**{name: value})


def test_a_state_can_be_saved_and_restored():
    p = parameter()
    optimizer = SGD([p], lr=1e-3)
    scaler, other = GradScaler(8.0, 3.0, 0.25, 5), GradScaler()
    for slope in (1, np.inf, 1, 1):
        step(scaler, p, optimizer, slope)
    other.load_state_dict(scaler.state_dict())
    for slope in (1, 1, 1, np.inf):
        for s in (scaler, other):
            step(s, p, optimizer, slope)
        assert scaler.state_dict() == other.state_dict()
    with pytest.raises(RuntimeError, match="empty"):
        other.load_state_dict({})
    scaler.update(new_scale=64)
    assert scaler.get_scale() == 64.0
    with pytest.raises(ValueError, match="new_scale"):
        scaler.update(new_scale=0)


def small_gradients(scaler):
    """Train on a loss whose gradients are below the smallest float16; return the losses."""
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((64, 4)).astype(np.float32))
    target = x @ np.ones((4, 1), np.float32)
    model = Sequential(Linear(4, 8, generator=1), Linear(8, 1, generator=2))
    optimizer = Adam(model.parameters(), lr=0.02, eps=1e-30)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        with autocast():
            loss = ((model(x) - target) ** 2).mean() * 1e-9
        losses.append(loss.item())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return losses


def test_training_in_float16_needs_the_scaler_for_small_gradients():
    losses = small_gradients(GradScaler(init_scale=2.0**40))
    assert losses[-1] < 0.01 * losses[0]
    unscaled = small_gradients(GradScaler(enabled=False))
    assert unscaled[-1] == unscaled[0]


@pytest.mark.peers
def test_the_scale_agrees_with_pytorch(torch):
    p, tp = parameter(), torch.ones(1, requires_grad=True)
    ours = GradScaler(2.0**10, growth_interval=2)
    theirs = torch.amp.GradScaler("cpu", 2.0**10, growth_interval=2)
    optimizer, torch_optimizer = SGD([p], lr=0.1), torch.optim.SGD([tp], lr=0.1)
    for slope in (1, 1, np.inf, 1, 1, 1, np.nan, 1, 1, 2, 3):
        step(ours, p, optimizer, slope)
        torch_optimizer.zero_grad()
        theirs.scale((tp * 1).sum()).backward()
        tp.grad *= slope
        theirs.step(torch_optimizer)
        theirs.update()
        assert ours.get_scale() == theirs.get_scale()
        np.testing.assert_allclose(p.data, tp.detach().numpy(), rtol=1e-6)
    assert ours.state_dict() == theirs.state_dict()
