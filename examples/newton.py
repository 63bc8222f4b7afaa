"""Minimize the Rosenbrock function with Newton's method and with first-order optimizers.

    python examples/newton.py [FOLDER] [--steps N]

The Rosenbrock function has its minimum, 0 at (1, 1, ...), at the end of a long curved valley whose
sides are a thousand times steeper than its floor. Gradient descent with momentum and Adam use the
gradient g only. Newton's method also uses the Hessian H: it solves H d = -g for the step d by
conjugate gradients, which need products of H with vectors but not H itself (Hessian-free
optimization, Martens 2010). Such a product is the gradient of g . v, and costs about as much as a
gradient.

Prints the value that each method reaches and its cost, and writes FOLDER/newton.png.
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

# The points that a method visits, each with the number of gradients and Hessian products so far.
Trajectory = Iterator[tuple[np.ndarray, int]]


def rosenbrock(x: Any) -> Any:
    """Return the sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 of a Tensor or an array."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def newton(start: np.ndarray, tolerance: float = 1e-10) -> Trajectory:
    """Yield the steps of Newton's method with conjugate gradients and a line search."""
    x, cost = start, 0
    while True:
        yield x, cost
        point = Tensor(x, requires_grad=True)
        gradient = grad(rosenbrock(point), point, create_graph=True)
        g = gradient.data
        if np.linalg.norm(g) < tolerance:
            return

        def hessian(v: np.ndarray, gradient: Any = gradient, point: Any = point) -> np.ndarray:
            product = grad((gradient * v).sum(), point, retain_graph=True)
            return np.asarray(product.data)

        direction, products = conjugate_gradients(hessian, -g)
        cost += 1 + products
        step = 1.0
        while rosenbrock(x + step * direction) > rosenbrock(x) + 1e-4 * step * g @ direction:
            step /= 2
        x = x + step * direction


def conjugate_gradients(
    matrix: Callable[[np.ndarray], np.ndarray], target: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return an approximate solution of matrix(d) = target, and the number of products.

    If the matrix has negative curvature in a search direction, return the solution so far, or
    `target` if that is the first direction. Both are descent directions.
    """
    solution = np.zeros_like(target)
    residual = direction = target
    # Solve more precisely near the minimum (Dembo & Steihaug 1983).
    tolerance = min(0.01, np.sqrt(np.linalg.norm(target))) * np.linalg.norm(target)
    for products in range(1, 2 * len(target) + 1):
        product = matrix(direction)
        curvature = direction @ product
        if curvature <= 0:
            return (target if products == 1 else solution), products
        length = residual @ residual / curvature
        solution = solution + length * direction
        new_residual = residual - length * product
        if np.linalg.norm(new_residual) < tolerance:
            break
        ratio = new_residual @ new_residual / (residual @ residual)
        direction = new_residual + ratio * direction
        residual = new_residual
    return solution, products


def first_order(
    start: np.ndarray, make: Callable[..., Optimizer], steps: int, lr: float
) -> Trajectory:
    """Yield the steps of an optimizer that uses gradients only."""
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


def trajectories(start: np.ndarray, steps: int) -> dict[str, list[tuple[np.ndarray, int]]]:
    """Return the steps of each method; first-order methods use the best of several rates."""

    def best(make: Callable[..., Optimizer], rates: Sequence[float]) -> Any:
        tried = [list(first_order(start, make, steps, lr)) for lr in rates]
        return min(tried, key=lambda t: float(rosenbrock(t[-1][0])))

    return {
        "gradient descent, momentum": best(momentum, (3e-4, 6e-4, 1e-3)),
        "Adam": best(Adam, (0.01, 0.03, 0.1, 0.3)),
        "Newton": list(newton(start)),
    }


def main(folder: str | Path = ".", steps: int = STEPS) -> dict[str, float]:
    """Minimize in 100 and in 2 dimensions, plot the latter, and return the values reached in 2."""
    reached = {}
    for dimensions in (100, 2):
        start = np.array(START) if dimensions == 2 else np.zeros(dimensions)
        found = trajectories(start, steps)
        print(
            f"Rosenbrock function in {dimensions} dimensions, starting at {rosenbrock(start):.4g}"
        )
        for name, trajectory in found.items():
            point, cost = trajectory[-1]
            reached[name] = float(rosenbrock(point))
            print(
                f"  {name:<27} {reached[name]:9.1e}  after {cost:5d} gradients and Hessian products"
            )
    picture = Path(folder) / "newton.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(found).savefig(picture, dpi=150)
    print(f"Trajectories: {picture}")
    return reached


def draw(found: dict[str, list[tuple[np.ndarray, int]]]) -> Figure:
    """Draw the trajectories over the function's contours, and the function value by cost."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    contours, curves = figure.subplots(1, 2, width_ratios=(1, 1.1))
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 300), np.linspace(-0.6, 1.7, 300))
    levels = np.logspace(-1, 3.2, 18)
    value = 100 * (y - x**2) ** 2 + (1 - x) ** 2
    contours.contourf(x, y, value, levels, norm=LogNorm(), cmap="Greys", extend="min", alpha=0.6)
    for (name, trajectory), colour in zip(
        found.items(), ("tab:orange", "tab:blue", "tab:red"), strict=True
    ):
        points = np.array([point for point, _ in trajectory])
        costs = np.array([cost for _, cost in trajectory])
        values = np.array([rosenbrock(point) for point in points])
        marker = "o" if name == "Newton" else None
        style = {"color": colour, "linewidth": 1.5, "marker": marker, "markersize": 4}
        contours.plot(*points.T, label=name, **style)
        curves.plot(costs + 1, values, label=name, **style)
    contours.plot(1, 1, "*", color="black", markersize=13, label="minimum", linestyle="none")
    contours.set(title="Trajectories", xlabel="x", ylabel="y")
    contours.legend(loc="upper center", fontsize=9)
    curves.set(
        title="Function value",
        xlabel="gradients and Hessian products",
        xscale="log",
        yscale="log",
        ylim=(1e-22, 1e3),
    )
    curves.grid(alpha=0.25)
    curves.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=STEPS,
        help="steps of the first-order methods (default: %(default)s)",
    )
    main(**vars(parser.parse_args()))
