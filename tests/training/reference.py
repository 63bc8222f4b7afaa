"""Cases for optimizers, schedules and clipping, and PyTorch's results for them.

Write PyTorch's results to reference.json, so that the tests run without PyTorch:

    python tests/training/reference.py
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("reference.json")
STEPS = 10
# The first step, the step after the one without a gradient, and the last step.
COMPARED = (0, 4, 9)

# Options interact, so each row is a combination that takes a different path through the code.
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd, default lr": ("SGD", {}),
    "sgd, decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "sgd, momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd, momentum, decay": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    "sgd, dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "sgd, nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd, nesterov, decay": (
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    ),
    "adam": ("Adam", {}),
    "adam, options": ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    "adam, decay": ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    "adam, amsgrad": ("Adam", {"lr": 0.05, "betas": (0.5, 0.6), "amsgrad": True}),
    "adam, amsgrad, decay": ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "adamw, options": ("AdamW", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.3}),
    "adamw, no decay": ("AdamW", {"lr": 0.05, "weight_decay": 0.0}),
    "adamw, amsgrad": ("AdamW", {"lr": 0.05, "betas": (0.5, 0.6), "amsgrad": True}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop, options": ("RMSprop", {"lr": 0.05, "alpha": 0.8, "eps": 1e-3}),
    "rmsprop, decay": ("RMSprop", {"lr": 0.05, "weight_decay": 0.1}),
    "rmsprop, momentum": ("RMSprop", {"lr": 0.05, "momentum": 0.7}),
    "rmsprop, centered": ("RMSprop", {"lr": 0.05, "centered": True}),
    "rmsprop, all": (
        "RMSprop",
        {"lr": 0.05, "momentum": 0.7, "centered": True, "weight_decay": 0.1, "alpha": 0.9},
    ),
}

# The same for optimizers that are compared over twenty steps.
LATER_OPTIMIZERS = {
    "sgd, maximize": (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05, "maximize": True},
    ),
    "adam, maximize": ("Adam", {"weight_decay": 0.1, "maximize": True}),
    "adamw, maximize": ("AdamW", {"lr": 0.05, "maximize": True}),
    "rmsprop, maximize": ("RMSprop", {"centered": True, "weight_decay": 0.1, "maximize": True}),
    "adagrad": ("Adagrad", {}),
    "adagrad, options": (
        "Adagrad",
        {
            "lr": 0.5,
            "lr_decay": 0.1,
            "weight_decay": 0.1,
            "initial_accumulator_value": 0.3,
            "eps": 1e-3,
        },
    ),
    "adagrad, maximize": ("Adagrad", {"weight_decay": 0.1, "maximize": True}),
    "nadam": ("NAdam", {}),
    "nadam, options": (
        "NAdam",
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "momentum_decay": 0.1},
    ),
    "nadam, decay": ("NAdam", {"lr": 0.05, "weight_decay": 0.1}),
    "nadam, decoupled": (
        "NAdam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ),
    "radam": ("RAdam", {}),
    "radam, options": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}),
    "radam, never rectified": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.6)}),
    "radam, decay": ("RAdam", {"lr": 0.05, "weight_decay": 0.1}),
    "radam, decoupled": (
        "RAdam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ),
    "muon": ("Muon", {}),
    "muon, options": (
        "Muon",
        {
            "lr": 0.02,
            "weight_decay": 0.0,
            "momentum": 0.7,
            "nesterov": False,
            "ns_coefficients": (2.0, -1.5, 0.5),
            "ns_steps": 7,
            "adjust_lr_fn": "match_rms_adamw",
        },
    ),
    "muon, no steps": ("Muon", {"ns_steps": 0, "eps": 4.0, "adjust_lr_fn": "original"}),
}
LATER_STEPS = 20
LATER_COMPARED = (0, 5, 19)

# For LBFGS: the function to minimize, and the options.
CLOSURES = {
    "quadratic": ("quadratic", {"lr": 0.3, "max_iter": 4}),
    "quadratic, history": ("quadratic", {"lr": 0.3, "max_iter": 7, "history_size": 3}),
    "quadratic, wolfe": ("quadratic", {"line_search_fn": "strong_wolfe", "max_iter": 3}),
    "rosenbrock": ("rosenbrock", {"lr": 1e-3, "max_iter": 5}),
    "rosenbrock, wolfe": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 6}),
    "rosenbrock, far": (
        "rosenbrock",
        {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_iter": 2},
    ),
    "rosenbrock, few evaluations": (
        "rosenbrock",
        {"line_search_fn": "strong_wolfe", "max_iter": 9, "max_eval": 5, "history_size": 2},
    ),
    "rosenbrock, tolerances": (
        "rosenbrock",
        {"line_search_fn": "strong_wolfe", "tolerance_grad": 3.0, "tolerance_change": 1e-2},
    ),
    "waves, wolfe": ("waves", {"line_search_fn": "strong_wolfe", "lr": 3.0, "max_iter": 5}),
}
CALLS = 5

SCHEDULES = {
    "step": ("StepLR", {"step_size": 3}),
    "step, gamma": ("StepLR", {"step_size": 2, "gamma": 0.5}),
    "cosine": ("CosineAnnealingLR", {"T_max": 6}),
    "cosine, floor": ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.01}),
    "linear": ("LinearLR", {}),
    "linear, options": ("LinearLR", {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 4}),
}
# A warm-up followed by a cosine.
SEQUENCE = [("LinearLR", {"total_iters": 4}), ("CosineAnnealingLR", {"T_max": 8})]
# Before the end of the warm-up, so that the rate jumps.
MILESTONES = [3]
SCHEDULE_STEPS = 12


def decaying(t: int) -> float:
    return 0.95**t


def shrinking(t: int) -> float:
    return 1 - 1 / (t + 5)


# The name of the schedule, its options, and the optimizer with its options.
_SGD = ("SGD", {"momentum": 0.5})
LONG_SCHEDULES = {
    "constant": ("ConstantLR", {"factor": 0.25, "total_iters": 7}, _SGD),
    "polynomial": ("PolynomialLR", {"total_iters": 40, "power": 2.5}, _SGD),
    "polynomial, default": ("PolynomialLR", {}, _SGD),
    "lambda": ("LambdaLR", {"lr_lambda": decaying}, _SGD),
    "lambda of each group": ("LambdaLR", {"lr_lambda": [decaying, shrinking]}, _SGD),
    "multiplicative": ("MultiplicativeLR", {"lr_lambda": shrinking}, _SGD),
    "multiplicative of each group": (
        "MultiplicativeLR",
        {"lr_lambda": [shrinking, shrinking]},
        _SGD,
    ),
    "restarts": ("CosineAnnealingWarmRestarts", {"T_0": 7, "eta_min": 0.01}, _SGD),
    "longer restarts": ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 3}, _SGD),
    "one cycle": ("OneCycleLR", {"max_lr": 0.7, "total_steps": 60}, _SGD),
    "one cycle, linear": (
        "OneCycleLR",
        {
            "max_lr": [0.7, 0.2],
            "epochs": 11,
            "steps_per_epoch": 5,
            "anneal_strategy": "linear",
            "base_momentum": [0.6, 0.7],
            "max_momentum": [0.8, 0.9],
        },
        _SGD,
    ),
    "one cycle, three phases": (
        "OneCycleLR",
        {"max_lr": 0.7, "total_steps": 45, "three_phase": True, "pct_start": 0.37},
        ("Adam", {}),
    ),
    "one cycle, no momentum": (
        "OneCycleLR",
        {
            "max_lr": 0.7,
            "total_steps": 30,
            "cycle_momentum": False,
            "div_factor": 3,
            "final_div_factor": 10,
        },
        _SGD,
    ),
    "plateau": ("ReduceLROnPlateau", {"patience": 3}, _SGD),
    "plateau, max": (
        "ReduceLROnPlateau",
        {"mode": "max", "patience": 0, "factor": 0.9, "min_lr": [0.05, 0.5], "cooldown": 2},
        _SGD,
    ),
    "plateau, absolute": (
        "ReduceLROnPlateau",
        {"threshold": 0.05, "threshold_mode": "abs", "patience": 2, "factor": 0.5, "eps": 0.02},
        _SGD,
    ),
    "plateau, max, absolute": (
        "ReduceLROnPlateau",
        {
            "mode": "max",
            "threshold": 0.02,
            "threshold_mode": "abs",
            "patience": 1,
            "factor": 0.7,
            "min_lr": 0.01,
        },
        _SGD,
    ),
}
LONG = 60

CLIPS = {
    "norm": ("norm", {"max_norm": 1.0}),
    "norm, wide": ("norm", {"max_norm": 100.0}),
    "norm 1": ("norm", {"max_norm": 1.0, "norm_type": 1.0}),
    "norm 3": ("norm", {"max_norm": 0.5, "norm_type": 3.0}),
    "largest": ("norm", {"max_norm": 0.5, "norm_type": math.inf}),
    "value": ("value", {"clip_value": 0.5}),
}


def start(name: str = "") -> list[np.ndarray]:
    """Return the initial parameters: a matrix, a vector and a scalar; only matrices for Muon."""
    rng = np.random.default_rng(0)
    shapes = ((3, 2), (4, 4), (2, 5)) if name == "Muon" else ((3, 2), (4,), ())
    return [rng.normal(size=shape) for shape in shapes]


def gradients(parameters: list[np.ndarray], step: int) -> list[np.ndarray]:
    """Return noisy gradients of a quadratic; None for the second parameter at step 3."""
    rng = np.random.default_rng(step + 1)
    grads = [3 * (p - 0.5) + rng.normal(size=p.shape) for p in parameters]
    return [None if (i, step) == (1, 3) else g for i, g in enumerate(grads)]


def metric(t: int) -> float:
    """Return a metric that falls, rises and is NaN at times."""
    return math.nan if t % 13 == 5 else math.exp(-t / 20) + 0.1 * math.sin(t)


def options_of(group: dict) -> list[float]:
    """Return the learning rate and the momentum of a group."""
    return [group["lr"], group["betas"][0] if "betas" in group else group["momentum"]]


def clipped_gradients() -> list[np.ndarray]:
    return gradients(start(), 0)


def elements(arrays: list[np.ndarray]) -> list[float]:
    return [float(x) for a in arrays for x in np.ravel(a)]


def with_pytorch(torch) -> dict:
    """Return PyTorch's results for all cases."""
    return {
        "optimizers": {k: _optimized(torch, *case) for k, case in OPTIMIZERS.items()},
        "later optimizers": {
            k: _optimized(torch, *case, LATER_STEPS, LATER_COMPARED)
            for k, case in LATER_OPTIMIZERS.items()
        },
        "minimized": {k: minimized(torch, *case) for k, case in CLOSURES.items()},
        "searches": _searches(torch),
        "schedules": {k: _scheduled(torch, *case) for k, case in SCHEDULES.items()}
        | {"sequence": _in_sequence(torch)},
        "long schedules": {k: _scheduled_long(torch, *c) for k, c in LONG_SCHEDULES.items()},
        "clips": {k: _clipped(torch, *case) for k, case in CLIPS.items()},
    }


@contextmanager
def _double_precision(torch):
    """Let Muon compute in float64 instead of bfloat16, and NAdam keep float64 products."""
    original, dtype = torch.Tensor.bfloat16, torch.get_default_dtype()
    torch.Tensor.bfloat16 = torch.Tensor.clone
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.Tensor.bfloat16 = original
        torch.set_default_dtype(dtype)


def _optimized(torch, name, options, steps=STEPS, compared=COMPARED):
    with _double_precision(torch):
        return _path(torch, name, options, steps, compared)


def _path(torch, name, options, steps, compared):
    parameters = [torch.tensor(p, requires_grad=True) for p in start(name)]
    optimizer = getattr(torch.optim, name)(parameters, **options)
    path = []
    for step in range(steps):
        now = gradients([p.detach().numpy() for p in parameters], step)
        for p, g in zip(parameters, now, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        path.append(elements([p.detach().numpy() for p in parameters]))
    return [path[i] for i in compared]


def quadratic(x, y):
    return ((x - 0.5) ** 2 * 3).sum() + ((y + 0.25) ** 2).sum() * 0.7 + (x[0, 0] - y[1]) ** 2


def rosenbrock(x, y):
    return ((1 - x) ** 2).sum() + 10 * ((y[:3] - x[:, 0] ** 2) ** 2).sum() + (y[3] ** 4)


def waves(x, y):
    return (x**2).sum() / 2 + ((3 * x) ** 2 / (1 + x**2)).sum() + ((y**2 - 1) ** 2).sum()


def minimized(torch, name, options):
    """Return the loss, the elements and the counts after each call of LBFGS."""
    x, y = (torch.tensor(p, requires_grad=True) for p in start()[:2])
    optimizer = torch.optim.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        loss = globals()[name](x, y)
        loss.backward()
        return loss

    found = []
    for _ in range(CALLS):
        loss = optimizer.step(closure)
        state = optimizer.state[x]
        counts = [float(state["func_evals"]), float(state["n_iter"])]
        found.append([loss.item(), *elements([x.detach().numpy(), y.detach().numpy()]), *counts])
    return found


# Functions on a line that decrease at 0, with their derivatives; and the first steps to try.
LINES = {
    "sine": (lambda t: -math.sin(t), lambda t: -math.cos(t)),
    "waves": (
        lambda t: -0.3 * t + 0.5 * math.cos(5 * t) + 0.02 * t * t,
        lambda t: -0.3 - 2.5 * math.sin(5 * t) + 0.04 * t,
    ),
    "double well": (
        lambda t: (t - 1) ** 2 * (t - 3) ** 2 - 0.5 * t,
        lambda t: 2 * (t - 1) * (t - 3) * (2 * t - 4) - 0.5,
    ),
    "narrow": (lambda t: abs(t - 0.2) ** 1.5 - 0.01 * t, None),
    "kink": (lambda t: max(-t, 40 * t - 37), lambda t: -1 if t < 37 / 41 else 40),
    "steep": (lambda t: math.exp(4 * t) - 9 * t, lambda t: 4 * math.exp(4 * t) - 9),
    "flat": (lambda t: math.exp(-t) + 1e-3 * t * t, lambda t: -math.exp(-t) + 2e-3 * t),
}
FIRST_STEPS = (1e-3, 0.05, 0.3, 1.0, 2.5, 7.0, 40.0)


def slope(name: str, t: float) -> float:
    if name == "narrow":
        return math.copysign(1.5 * abs(t - 0.2) ** 0.5, t - 0.2) - 0.01
    return LINES[name][1](t)


def _searches(torch):
    with _double_precision(torch):
        return {f"{name}, {n}": _searched(torch, name, n) for name in LINES for n in (3, 25)}


def _searched(torch, name, most):
    from torch.optim.lbfgs import _strong_wolfe

    def evaluate(x, t, d):
        return LINES[name][0](float(t)), torch.tensor([float(slope(name, float(t)))])

    found = []
    direction = torch.tensor([1.0], dtype=torch.float64)
    value, gradient = evaluate(None, 0.0, None)
    for t in FIRST_STEPS:
        loss, _, end, count = _strong_wolfe(
            evaluate, None, t, direction, value, gradient, gradient.dot(direction), max_ls=most
        )
        found.append([float(end), float(loss), count])
    return found


def _rates(torch, make):
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 2}], lr=0.1
    )
    schedule = make(optimizer)
    rates = []
    for _ in range(SCHEDULE_STEPS):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return rates


def _scheduled(torch, name, options):
    return _rates(
        torch, lambda optimizer: getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    )


def _scheduled_long(torch, name, options, optimizer):
    kind, defaults = optimizer
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 2}]
    optimizer = getattr(torch.optim, kind)(groups, lr=0.1, **defaults)
    schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    found = []
    for t in range(min(LONG, getattr(schedule, "total_steps", LONG))):
        # Thirteen digits make the file smaller.
        numbers = [x for group in optimizer.param_groups for x in options_of(group)]
        found.append([float(f"{x:.13g}") for x in numbers])
        optimizer.step()
        schedule.step(*([metric(t)] if name == "ReduceLROnPlateau" else []))
    return found


def _in_sequence(torch):
    schedulers = torch.optim.lr_scheduler

    def make(optimizer):
        parts = [getattr(schedulers, name)(optimizer, **options) for name, options in SEQUENCE]
        return schedulers.SequentialLR(optimizer, parts, MILESTONES)

    return _rates(torch, make)


def _clipped(torch, kind, options):
    parameters = [torch.tensor(p, requires_grad=True) for p in start()]
    for p, g in zip(parameters, clipped_gradients(), strict=True):
        p.grad = torch.tensor(g)
    clip = getattr(torch.nn.utils, f"clip_grad_{kind}_")
    norm = clip(parameters, **options)
    found = elements([p.grad.numpy() for p in parameters])
    return {"norm": None if norm is None else float(norm), "gradients": found}


if __name__ == "__main__":
    import torch

    FILE.write_text(json.dumps(with_pytorch(torch)) + "\n", encoding="utf-8")
