"""Schedules: states, groups, ReduceLROnPlateau in a Trainer, and errors.

test_against_pytorch.py compares the rates with PyTorch.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training import (
    SGD,
    Adam,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    DataLoader,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    RMSprop,
    SequentialLR,
    StepLR,
    TensorDataset,
    Trainer,
    load_checkpoint,
    save_checkpoint,
)

from . import reference


def optimizer(**options: Any) -> SGD:
    """Return an optimizer of two groups with the rates 0.1 and 2."""
    first, second = (Tensor([0.0], requires_grad=True) for _ in range(2))
    return SGD([{"params": [first]}, {"params": [second], "lr": 2}], lr=0.1, **options)


def advance(schedule: Any, steps: range) -> None:
    for t in steps:
        schedule.step(*([reference.metric(t)] if schedule.takes_metric else []))


SCHEDULES = {
    "constant": lambda o: ConstantLR(o, total_iters=9),
    "polynomial": lambda o: PolynomialLR(o, total_iters=20),
    "lambda": lambda o: LambdaLR(o, [reference.decaying, reference.shrinking]),
    "multiplicative": lambda o: MultiplicativeLR(o, reference.shrinking),
    "restarts": lambda o: CosineAnnealingWarmRestarts(o, 3, 2),
    "one cycle": lambda o: OneCycleLR(o, 0.5, 30),
    "plateau": lambda o: ReduceLROnPlateau(o, patience=1, cooldown=1),
    "sequence": lambda o: SequentialLR(o, [ConstantLR(o), OneCycleLR(o, 0.5, 20)], [8]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_state_restores_the_rates_and_what_follows(name: str, tmp_path: Any) -> None:
    first, second = optimizer(momentum=0.5), optimizer(momentum=0.5)
    schedule = SCHEDULES[name](first)
    advance(schedule, range(12))
    save_checkpoint(tmp_path / "state", schedule.state_dict())
    other = SCHEDULES[name](second)
    other.load_state_dict(load_checkpoint(tmp_path / "state"))
    for _ in range(2):
        for one, two in zip(first.param_groups, second.param_groups, strict=True):
            assert reference.options_of(one) == reference.options_of(two)
        assert schedule.get_last_lr() == other.get_last_lr()
        advance(schedule, range(12, 17))
        advance(other, range(12, 17))


def test_states_that_do_not_fit_change_nothing() -> None:
    schedule = ReduceLROnPlateau(optimizer())
    advance(schedule, range(9))
    before = schedule.state_dict()
    for change, error, message in (
        ({"best": None}, TypeError, "best of ReduceLROnPlateau must be a number"),
        ({"num_bad_epochs": -1}, ValueError, "num_bad_epochs of .* must be 0 or more"),
        ({"cooldown_counter": "a"}, TypeError, "cooldown_counter of .* must be an integer"),
        ({"rates": [1.0]}, ValueError, "rates of .* has 1 values, but .* 2 groups"),
        ({"base_lrs": [1.0]}, ValueError, "for 1 groups of parameters"),
    ):
        with pytest.raises(error, match=message):
            schedule.load_state_dict({**before, **change})
        assert schedule.state_dict() == before


@pytest.mark.parametrize("name", ["lambda of one", "one cycle", "plateau"])
def test_group_added_later_follows_the_schedule(name: str) -> None:
    makes = {**SCHEDULES, "lambda of one": lambda o: LambdaLR(o, reference.decaying)}
    made = optimizer(momentum=0.5)
    schedule = makes[name](made)
    made.add_param_group({"params": [Tensor([0.0], requires_grad=True)], "lr": 0.1})
    advance(schedule, range(9))
    rates = [group["lr"] for group in made.param_groups]
    assert rates[2] == rates[0]
    assert len(schedule.get_last_lr()) == 3


def test_multiplicative_factors_are_computed_once_per_step() -> None:
    seen: list[int] = []
    made = optimizer()
    schedule = MultiplicativeLR(made, lambda t: seen.append(t) or 0.5)
    advance(schedule, range(3))
    assert seen == [1, 1, 2, 2, 3, 3]  # for two groups
    assert [group["lr"] for group in made.param_groups] == [0.1 / 8, 2 / 8]
    schedule.load_state_dict({**schedule.state_dict(), "last_epoch": 1})
    assert [group["lr"] for group in made.param_groups] == [0.1 / 2, 2 / 2]


def test_sequence_changes_the_momentum_of_its_schedules() -> None:
    made = optimizer(momentum=0.5)
    schedule = SequentialLR(made, [LinearLR(made), OneCycleLR(made, 1.0, 10)], [2])
    seen = []
    for _ in range(5):
        seen.append(made.param_groups[0]["momentum"])
        schedule.step()
    assert seen[2] == 0.95
    assert seen[4] == pytest.approx(0.85)


def test_one_cycle_ends_after_its_steps() -> None:
    made = optimizer(momentum=0.5)
    schedule = OneCycleLR(made, 1.0, 4, anneal_strategy="linear")
    advance(schedule, range(3))
    last = [dict(group) for group in made.param_groups]
    schedule.step()
    assert [dict(group) for group in made.param_groups] == last
    with pytest.raises(ValueError, match="has 4 steps, which are done"):
        schedule.step()
    assert schedule.last_epoch == 4
    assert [dict(group) for group in made.param_groups] == last


@pytest.mark.parametrize("pct_start", [0, 0.25, 1])
@pytest.mark.parametrize("total_steps", [1, 2, 4])
def test_short_cycles(total_steps: int, pct_start: float) -> None:
    made = optimizer(momentum=0.5)
    schedule = OneCycleLR(made, 1.0, total_steps, pct_start=pct_start)
    for _ in range(total_steps):
        assert 0 <= made.param_groups[0]["lr"] <= 1
        schedule.step()


def test_metric_may_be_a_tensor_or_an_array() -> None:
    schedule = ReduceLROnPlateau(optimizer(), patience=0)
    for value in (Tensor([1.0], requires_grad=True), np.float32(0.5), np.array(0.25), 1):
        schedule.step(value)
    assert schedule.best == 0.25
    assert schedule.get_last_lr() == pytest.approx([0.01, 0.2])


def data() -> DataLoader:
    x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    return DataLoader(TensorDataset(x, 3 * x), 4)


class Line:
    """A minimal model: y = w x."""

    training = True

    def __init__(self) -> None:
        self.w = Tensor([[0.0]], requires_grad=True)

    def __call__(self, x: Any) -> Any:
        return x @ self.w

    def named_parameters(self) -> Any:
        return iter([("w", self.w)])

    def named_modules(self) -> Any:
        return iter([("", self)])

    def train(self, mode: bool = True) -> None:
        self.training = mode

    def eval(self) -> None:
        self.training = False

    def state_dict(self) -> dict[str, Any]:
        return {"w": self.w.data.copy()}

    def load_state_dict(self, state: Any) -> None:
        self.w.data = state["w"]


@pytest.mark.parametrize("validation", [False, True])
def test_trainer_passes_the_loss_on(validation: bool) -> None:
    model = Line()
    made = SGD([model.w], lr=0.1)
    schedule = ReduceLROnPlateau(made, patience=0, threshold=99.0, threshold_mode="abs")
    trainer = Trainer(
        model, lambda y, t: ((y - t) ** 2).mean(), made, scheduler=schedule, progress=False
    )
    history = trainer.fit(data(), 3, validation=data() if validation else None)
    assert schedule.best == history["val_loss" if validation else "loss"][0]
    assert history["lr"] == pytest.approx([0.1, 0.1, 0.01])


def test_trainer_refuses_a_metric_after_each_step() -> None:
    model = Line()
    made = SGD([model.w], lr=0.1)
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau .* scheduler_interval='epoch'"):
        Trainer(model, abs, made, scheduler=ReduceLROnPlateau(made), scheduler_interval="step")


@pytest.mark.parametrize("resumed_after", [2, 5])
def test_trainer_resumes_with_a_plateau(resumed_after: int, tmp_path: Any) -> None:
    def trainer() -> Trainer:
        model = Line()
        made = SGD([model.w], lr=0.1)
        schedule = ReduceLROnPlateau(made, patience=1, threshold=0.9, factor=0.5)
        loss = lambda y, t: ((y - t) ** 2).mean()  # noqa: E731
        return Trainer(model, loss, made, scheduler=schedule, progress=False)

    whole, first, second = trainer(), trainer(), trainer()
    whole.fit(data(), 8)
    first.fit(data(), resumed_after, checkpoint=tmp_path / "run")
    second.fit(data(), 8, checkpoint=tmp_path / "run", resume=True)
    assert second.history == whole.history
    assert len(set(whole.history["lr"])) > 1


def groups(**options: Any) -> SGD:
    return optimizer(momentum=0.5, **options)


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "factor": (lambda: ConstantLR(groups(), 2), ValueError, "factor of ConstantLR"),
    "constant iters": (lambda: ConstantLR(groups(), 0.5, 1.5), TypeError, "total_iters of Const"),
    "iters": (lambda: PolynomialLR(groups(), 0), ValueError, "total_iters of PolynomialLR"),
    "half an iter": (lambda: PolynomialLR(groups(), 1.5), TypeError, "total_iters of Polynomial"),
    "two functions": (lambda: MultiplicativeLR(groups(), [abs]), ValueError, "has 1 values, but"),
    "power": (lambda: PolynomialLR(groups(), power=0), ValueError, "power of PolynomialLR"),
    "no function": (lambda: LambdaLR(groups(), 0.5), TypeError, "lr_lambda of LambdaLR"),
    "functions": (lambda: MultiplicativeLR(groups(), [abs, 1]), TypeError, r"lr_lambda\[1\] of Mu"),
    "one function": (
        lambda: LambdaLR(groups(), [abs]),
        ValueError,
        "lr_lambda of LambdaLR has 1 values, but the optimizer has 2 groups",
    ),
    "no number": (
        lambda: LambdaLR(groups(), lambda t: ""),
        TypeError,
        r"lr_lambda\(0\) of LambdaLR must be",
    ),
    "no schedules": (
        lambda: (lambda o: SequentialLR(o, [StepLR(o, 1), 0.1], [2]))(groups()),
        TypeError,
        "SequentialLR expects a list of schedules, but got 0.1",
    ),
    "metrics": (
        lambda: ReduceLROnPlateau(groups()).step(np.ones(2)),
        TypeError,
        r"takes a number, such as the validation loss, not array",
    ),
    "negative": (lambda: LambdaLR(groups(), lambda t: -1), ValueError, "lr of SGD must be 0 or"),
    "T_0": (lambda: CosineAnnealingWarmRestarts(groups(), 0), ValueError, "T_0 of Cosine"),
    "T_mult": (lambda: CosineAnnealingWarmRestarts(groups(), 1, 0.5), TypeError, "T_mult of Cos"),
    "eta_min": (lambda: CosineAnnealingWarmRestarts(groups(), 1, 1, -1), ValueError, "eta_min of"),
    "no steps": (lambda: OneCycleLR(groups(), 1.0), ValueError, "needs total_steps, or epochs"),
    "steps": (lambda: OneCycleLR(groups(), 1.0, 0), ValueError, "total_steps of OneCycleLR"),
    "epochs": (
        lambda: OneCycleLR(groups(), 1.0, epochs=2.5, steps_per_epoch=1),
        TypeError,
        "epochs of OneCycleLR",
    ),
    "max_lr": (lambda: OneCycleLR(groups(), [1.0, "a"], 9), TypeError, r"max_lr\[1\] of OneCycle"),
    "rates": (lambda: OneCycleLR(groups(), [1.0], 9), ValueError, "max_lr of OneCycleLR has 1"),
    "momenta": (
        lambda: OneCycleLR(groups(), 1.0, 9, base_momentum=[0.5]),
        ValueError,
        "base_momentum of OneCycleLR has 1",
    ),
    "momentum": (
        lambda: OneCycleLR(groups(), 1.0, 9, max_momentum=1.0),
        ValueError,
        "max_momentum of OneCycleLR",
    ),
    "pct_start": (lambda: OneCycleLR(groups(), 1.0, 9, pct_start=2), ValueError, "pct_start of"),
    "strategy": (
        lambda: OneCycleLR(groups(), 1.0, 9, anneal_strategy="exp"),
        ValueError,
        "must be 'cos' or 'linear', not 'exp'",
    ),
    "no momentum": (
        lambda: OneCycleLR(WithoutMomentum([Tensor([0.0], requires_grad=True)]), 1.0, 9),
        ValueError,
        "WithoutMomentum has no option 'momentum' or 'betas'; pass cycle_momentum=False",
    ),
    "no optimizer": (lambda: OneCycleLR([1], 1.0, 9), TypeError, "expects an optimizer, not list"),
    "mode": (lambda: ReduceLROnPlateau(groups(), "most"), ValueError, "'min' or 'max', not 'most'"),
    "large factor": (lambda: ReduceLROnPlateau(groups(), factor=1.0), ValueError, "below 1"),
    "patience": (lambda: ReduceLROnPlateau(groups(), patience=-1), ValueError, "patience of Re"),
    "threshold": (lambda: ReduceLROnPlateau(groups(), threshold=-1), ValueError, "threshold of"),
    "threshold mode": (
        lambda: ReduceLROnPlateau(groups(), threshold_mode=None),
        ValueError,
        "threshold_mode of ReduceLROnPlateau must be 'rel' or 'abs', not None",
    ),
    "min_lr": (lambda: ReduceLROnPlateau(groups(), min_lr=[0.1]), ValueError, "min_lr of .* has 1"),
    "metric": (
        lambda: ReduceLROnPlateau(groups()).step("low"),
        TypeError,
        r"step\(\) of ReduceLROnPlateau takes a number, .* not 'low'",
    ),
    "sequence": (
        lambda: (lambda o: SequentialLR(o, [ReduceLROnPlateau(o), StepLR(o, 1)], [2]))(groups()),
        ValueError,
        "SequentialLR cannot contain ReduceLROnPlateau",
    ),
}


class WithoutMomentum(RMSprop):
    checks: ClassVar = {name: f for name, f in RMSprop.checks.items() if name != "momentum"}

    def __init__(self, params: Any) -> None:
        super(RMSprop, self).__init__(params, lr=0.1)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()


def test_plateau_with_rates_for_other_groups_changes_nothing() -> None:
    made = optimizer()
    schedule = ReduceLROnPlateau(made, min_lr=[0.1, 0.2])
    made.add_param_group({"params": [Tensor([0.0], requires_grad=True)]})
    before = schedule.state_dict()
    with pytest.raises(ValueError, match="min_lr of ReduceLROnPlateau has 2 values"):
        schedule.step(1.0)
    assert schedule.state_dict() == before


def test_beta1_of_adam_is_cycled_and_beta2_is_not() -> None:
    made = Adam([Tensor([0.0], requires_grad=True)], betas=(0.5, 0.7))
    OneCycleLR(made, 1.0, 9)
    assert made.param_groups[0]["betas"] == (0.95, 0.7)
    assert math.isclose(made.param_groups[0]["lr"], 1 / 25)
