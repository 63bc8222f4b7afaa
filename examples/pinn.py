"""Solve a partial differential equation with a network: Burgers' equation, whose waves steepen.

    python examples/pinn.py [FOLDER] [--iterations N]

The network is trained without data: its loss is the residual of ∂u/∂t + u ∂u/∂x = ν ∂²u/∂x² at
random points, with derivatives of the network with respect to its inputs. So the gradient of the
loss has derivatives of third order. Prints the error with respect to the exact solution, and writes
FOLDER/pinn.png: the solution, its error, both solutions at some times, and the error in training.

Raissi, Perdikaris & Karniadakis, "Physics-informed neural networks", 2019.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tinytorch_core import Tensor

from tinytorch_activations import Tanh
from tinytorch_autograd import grad, no_grad
from tinytorch_layers import Linear, Module, Sequential
from tinytorch_training import LBFGS

ITERATIONS = 1200
VISCOSITY = 0.02
POINTS = 1000
ROUNDS = 6  # of training, each with new points
TIMES = (0.2, 0.4, 1.0)


class Solution(Module):
    """u(x, t) = −sin πx + t (1 − x²) network(x, t), for −1 ≤ x ≤ 1 and 0 ≤ t ≤ 1.

    It satisfies the initial and the boundary conditions, u(x, 0) = −sin πx and u(±1, t) = 0, for
    all weights, so that the loss does not need terms for them (Lagaris, Likas & Fotiadis, 1998).
    """

    def __init__(self, width: int, generator: np.random.Generator) -> None:
        self.network = Sequential(
            Linear(2, width, generator=generator),
            Tanh(),
            Linear(width, width, generator=generator),
            Tanh(),
            Linear(width, 1, generator=generator),
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        inputs = np.concatenate([x, 2 * t - 1], axis=1)
        return t * (1 - x * x) * self.network(inputs) - np.sin(math.pi * x)


def residual(solution: Solution, points: np.ndarray) -> Tensor:
    """Return ∂u/∂t + u ∂u/∂x − ν ∂²u/∂x² at points (x, t), as a column.

    The u of a point depends on this point only. So the derivatives of the sum of all u with respect
    to the points are the derivatives of each u.
    """
    x = Tensor(points[:, :1], requires_grad=True)
    t = Tensor(points[:, 1:], requires_grad=True)
    u = solution(x, t)
    u_x, u_t = grad(u.sum(), [x, t], create_graph=True)
    u_xx = grad(u_x.sum(), x, create_graph=True)
    remaining: Tensor = u_t + u * u_x - VISCOSITY * u_xx
    return remaining


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the exact solution by the transformation of Cole and Hopf.

    It is a quotient of two integrals with the weight of a normal distribution (Basdevant et al.,
    "Spectral and finite difference solutions of the Burgers equation", 1986), computed by
    Gauss-Hermite quadrature.
    """
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    z = x[..., None] - np.sqrt(4 * VISCOSITY * t[..., None]) * nodes
    exponent = -np.cos(math.pi * z) / (2 * math.pi * VISCOSITY)
    density = weights * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    u: np.ndarray = -(np.sin(math.pi * z) * density).sum(axis=-1) / density.sum(axis=-1)
    return u


def choose(solution: Solution, rng: np.random.Generator) -> np.ndarray:
    """Return random points (x, t), more of them where the residual is large."""
    candidates = rng.uniform((-1, 0), (1, 1), (4 * POINTS, 2)).astype(np.float32)
    size = np.abs(residual(solution, candidates).data[:, 0])
    chances = size / size.mean() + 1
    return candidates[rng.choice(len(candidates), POINTS, False, chances / chances.sum())]


def train(solution: Solution, points: np.ndarray, iterations: int) -> None:
    """Minimize the mean square of the residual at the points."""
    optimizer = LBFGS(
        solution.parameters(),
        max_iter=iterations,
        history_size=50,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        remaining = residual(solution, points)
        square: Tensor = (remaining * remaining).mean()
        square.backward()
        return square

    optimizer.step(loss)


def main(folder: str | Path = ".", iterations: int = ITERATIONS) -> float:
    """Solve the equation, draw the solution, and return the relative error."""
    rng = np.random.default_rng(0)
    solution = Solution(20, rng)
    x, t = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(0, 1, 101), indexing="ij")
    true = exact(x, t)
    columns = [Tensor(a.reshape(-1, 1).astype(np.float32)) for a in (x, t)]
    errors = []
    start = time.perf_counter()
    for done in range(1, ROUNDS + 1):
        points = choose(solution, rng)
        train(solution, points, iterations // ROUNDS)
        with no_grad():
            found = solution(*columns).data.reshape(x.shape)
        errors.append(float(np.linalg.norm(found - true) / np.linalg.norm(true)))
        print(f"{done * (iterations // ROUNDS):5} iterations: relative error {errors[-1]:.2%}")
    seconds, largest = time.perf_counter() - start, np.abs(found - true).max()
    print(f"{iterations} iterations in {seconds:.1f} s; the largest error is {largest:.3f}")
    picture = Path(folder) / "pinn.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(x, t, found, true, points, errors, iterations).savefig(picture, dpi=150)
    print(f"Solution and error: {picture}")
    return errors[-1]


def draw(
    x: np.ndarray,
    t: np.ndarray,
    found: np.ndarray,
    true: np.ndarray,
    points: np.ndarray,
    errors: list[float],
    iterations: int,
) -> Any:
    """Draw the solution and its error over x and t, and below them at some times."""
    figure: Any = Figure(figsize=(13, 6.6), layout="constrained")
    above, below = figure.subfigures(2, 1)
    left, right = above.subplots(1, 2)
    area: Any = {"extent": (0, 1, -1, 1), "origin": "lower", "aspect": "auto"}
    drawn = left.imshow(found, **area, interpolation="bilinear", cmap="RdBu_r", vmin=-1, vmax=1)
    above.colorbar(drawn, ax=left, ticks=[-1, 0, 1])
    left.plot(*points.T[::-1], ".", color="black", markersize=1.5, alpha=0.5)
    left.set_title("The network's solution u, and the points of the last round")
    error = np.maximum(np.abs(found - true), 1e-5)
    drawn = right.imshow(
        error, **area, interpolation="bilinear", cmap="magma", norm=LogNorm(1e-5, 1e-1)
    )
    above.colorbar(drawn, ax=right)
    right.set_title("Its error |u − exact u|")
    for axes in (left, right):
        axes.set(xlabel="t", ylabel="x", xlim=(0, 1), ylim=(-1, 1))
        for moment in TIMES:
            axes.axvline(moment, color="0.5", linewidth=0.8, linestyle=":")
    *slices, last = below.subplots(1, len(TIMES) + 1)
    for axes, moment in zip(slices, TIMES, strict=True):
        column = round(moment * (t.shape[1] - 1))
        axes.plot(x[:, 0], true[:, column], color="black", linewidth=3.5, alpha=0.3, label="exact")
        axes.plot(x[:, 0], found[:, column], "--", color="#b2182b", label="network")
        axes.set(xlabel="x", title=f"u at t = {moment}", ylim=(-1.1, 1.1))
    slices[0].legend(frameon=False)
    rounds = np.arange(1, len(errors) + 1) * (iterations // ROUNDS)
    last.semilogy(rounds, errors, "o-", color="#2166ac")
    last.set(xlabel="iterations", title=f"Relative error: {errors[-1]:.2%} at the end")
    last.set(xlim=(0, None), yticks=[0.003, 0.01, 0.03])
    last.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    last.yaxis.set_minor_formatter("")
    for axes in (*slices, last):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="default: %(default)s")
    main(**vars(parser.parse_args()))
