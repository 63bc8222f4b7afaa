"""Walks down a curved valley with second derivatives, where first ones crawl.

    python examples/newton.py [FOLDER] [--steps N]

Rosenbrock's function has its minimum, 0 at (1, 1, ...), at the end of a long bent valley whose
sides are a thousand times steeper than its floor. Gradient descent with momentum and Adam know
the slope only. Newton's method also knows how the slope changes: it solves H d = -g for the step
d by conjugate gradients, which ask for products of the Hessian H with vectors and never for H
itself (Hessian-free, as in Martens, 2010). Such a product is the gradient of g . v, and costs
about as much as a gradient.

Prints how far each comes for what it costs, and draws FOLDER/newton.png.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_training import SGD, Adam, Optimizer

STEPS = 3000
START = (-1.2, 1.0)

# A point, and how many gradients and products with the Hessian it took to come there.
Walk = Iterator[tuple[np.ndarray, int]]


def rosenbrock(x: Any) -> Any:
    """The sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, of a Tensor or an array."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def newton(start: np.ndarray, tolerance: float = 1e-10) -> Walk:
    """Newton's method with conjugate gradients and a line search."""
    x, cost = start, 0
    while True:
        yield x, cost
        point = Tensor(x, requires_grad=True)
        gradient = grad(rosenbrock(point), point, create_graph=True)
        slope = gradient.data
        if np.linalg.norm(slope) < tolerance:
            return

        def curvature(v: np.ndarray, gradient: Any = gradient, point: Any = point) -> np.ndarray:
            product = grad((gradient * v).sum(), point, retain_graph=True)
            return np.asarray(product.data)

        direction, products = conjugate_gradients(curvature, -slope)
        cost += 1 + products
        step = 1.0
        while rosenbrock(x + step * direction) > rosenbrock(x) + 1e-4 * step * slope @ direction:
            step /= 2
        x = x + step * direction


def conjugate_gradients(
    matrix: Callable[[np.ndarray], np.ndarray], target: np.ndarray
) -> tuple[np.ndarray, int]:
    """About the solution of matrix(d) = target, and how many products it took.

    Where the function curves downwards it stops, with a direction that leads down all the same.
    """
    solution = np.zeros_like(target)
    rest = direction = target
    # The nearer the minimum, the more exactly it pays to solve (Dembo and Steihaug, 1983).
    enough = min(0.01, np.sqrt(np.linalg.norm(target))) * np.linalg.norm(target)
    for products in range(1, 2 * len(target) + 1):
        product = matrix(direction)
        bend = direction @ product
        if bend <= 0:
            return (target if products == 1 else solution), products
        length = rest @ rest / bend
        solution = solution + length * direction
        smaller = rest - length * product
        if np.linalg.norm(smaller) < enough:
            break
        direction = smaller + (smaller @ smaller / (rest @ rest)) * direction
        rest = smaller
    return solution, products


def first_order(start: np.ndarray, make: Callable[..., Optimizer], steps: int, lr: float) -> Walk:
    """The walk of an optimizer that sees gradients only."""
    x = Tensor(start, requires_grad=True)
    optimizer = make([x], lr=lr)
    yield x.data.copy(), 0
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        rosenbrock(x).backward()
        optimizer.step()
        yield x.data.copy(), step


def momentum(parameters: list[Tensor], lr: float) -> Optimizer:
    return SGD(parameters, lr=lr, momentum=0.9)


def walks(start: np.ndarray, steps: int) -> dict[str, list[tuple[np.ndarray, int]]]:
    """The walk of each method; of the first-order ones that with the best of several rates."""

    def best(make: Callable[..., Optimizer], rates: Sequence[float]) -> Any:
        tried = [list(first_order(start, make, steps, lr)) for lr in rates]
        return min(tried, key=lambda walk: float(rosenbrock(walk[-1][0])))

    return {
        "gradient descent, momentum": best(momentum, (3e-4, 6e-4, 1e-3)),
        "Adam": best(Adam, (0.01, 0.03, 0.1, 0.3)),
        "Newton": list(newton(start)),
    }


def main(folder: str | Path = ".", steps: int = STEPS) -> dict[str, float]:
    """Walks in 2 and in 100 dimensions, prints, draws, and returns the values in 2 dimensions."""
    reached = {}
    for dimensions in (100, 2):
        start = np.array(START) if dimensions == 2 else np.zeros(dimensions)
        found = walks(start, steps)
        print(f"Rosenbrock in {dimensions} dimensions, from {rosenbrock(start):.4g}")
        for name, walk in found.items():
            point, cost = walk[-1]
            reached[name] = float(rosenbrock(point))
            print(f"  {name:<27} {reached[name]:9.1e}  after {cost:5d} gradients or products")
    picture = Path(folder) / "newton.png"
    draw(found).savefig(picture, dpi=150)
    print(f"The way through the valley: {picture}")
    return reached


def draw(found: dict[str, list[tuple[np.ndarray, int]]]) -> Figure:
    """The ways over the landscape, and how low each is for what it has cost."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    landscape, curves = figure.subplots(1, 2, width_ratios=(1, 1.1))
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 300), np.linspace(-0.6, 1.7, 300))
    levels = np.logspace(-1, 3.2, 18)
    height = 100 * (y - x**2) ** 2 + (1 - x) ** 2
    landscape.contourf(x, y, height, levels, norm=LogNorm(), cmap="Greys", extend="min", alpha=0.6)
    for (name, walk), colour in zip(
        found.items(), ("tab:orange", "tab:blue", "tab:red"), strict=True
    ):
        points = np.array([point for point, _ in walk])
        costs = np.array([cost for _, cost in walk])
        heights = np.array([rosenbrock(point) for point in points])
        marker = "o" if name == "Newton" else None
        style = {"color": colour, "linewidth": 1.5, "marker": marker, "markersize": 4}
        landscape.plot(*points.T, label=name, **style)
        curves.plot(costs + 1, heights, label=name, **style)
    landscape.plot(1, 1, "*", color="black", markersize=13, label="minimum", linestyle="none")
    landscape.set(title="The way through the valley", xlabel="x", ylabel="y")
    landscape.legend(loc="upper center", fontsize=9)
    curves.set(
        title="Height above the minimum",
        xlabel="gradients and products with the Hessian",
        xscale="log",
        yscale="log",
        ylim=(1e-22, 1e3),
    )
    curves.grid(alpha=0.25)
    curves.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".", help="where the picture goes")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the first-order methods")
    main(**vars(parser.parse_args()))
