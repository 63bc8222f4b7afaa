"""Ordinary differential equations, with the names and arguments of scipy.integrate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_special.family import Array, promoted, rule, special

# The tolerances that SciPy uses by default.
_TOLERANCE = 1.49012e-8
# The backward integration of y may miss the stored y by this multiple of the tolerances.
_ACCEPTED = 1e3
# An interval is bisected at most this many times.
_DEPTH = 14


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: Any = (),
    *,
    rtol: float = _TOLERANCE,
    atol: float = _TOLERANCE,
    tfirst: bool = False,
    **options: float,
) -> Any:
    """Solve dy/dt = func(y, t, *args) with y = y0 at t[0], by LSODA (Petzold 1983).

    Gradients with respect to `y0`, `t` and `args` are those of the exact solution, computed from
    the adjoint equation (Chen et al. 2018, Neural Ordinary Differential Equations, appendix B),
    which is solved with the same tolerances: expect errors of 10 to 100 times the tolerances.
    They can be differentiated again.

    The adjoint equation is integrated backwards together with y. Where this is unstable, as for
    equations that decay fast, y misses its stored values; the interval is then bisected until it
    does not.

    Args:
        func: a function that returns dy/dt, an array or a list of numbers. While gradients are
            computed, `y` and the tracked `args` are Tensors. It must not use other tracked
            tensors.
        y0: the initial value, of shape (n,) or ().
        t: the times, increasing or decreasing; the first is that of y0.
        args: a tuple of further arguments of func, or a single one. Gradients pass through
            tracked tensors among them, but not through those in nested lists or other objects.
        rtol, atol: the relative and the absolute tolerance, numbers.
        tfirst: call func(t, y, *args).
        options: h0, hmax, hmin or mxstep, as in SciPy.

    Returns:
        The solution at the times, of shape (len(t), n), in the dtype of y0.

    Raises:
        TypeError: an option is unknown.
        ValueError: func depends on a tracked tensor that is not in `args`, or a shape is wrong.

    >>> import numpy as np
    >>> from tinytorch_core import Tensor
    >>> k = Tensor(np.array(0.5), requires_grad=True)
    >>> y = odeint(lambda y, t, k: -k * y, np.array([1.0]), np.array([0.0, 2.0]), args=(k,))
    >>> y[1].backward()  # y(2) = exp(-2k), so its derivative is -2 exp(-2k)
    >>> print(k.grad.round(6))
    -0.735759
    """
    if unknown := set(options) - {"h0", "hmax", "hmin", "mxstep"}:
        raise TypeError(
            f"odeint() does not take {', '.join(sorted(unknown))}; its options are rtol, atol, "
            "tfirst, h0, hmax, hmin and mxstep"
        )
    (y0,), (t,) = promoted(_as_vector(y0)), promoted(t)
    args = args if isinstance(args, tuple) else (args,)
    tracked = [a for a in args if getattr(a, "requires_grad", False)]
    constants = tuple(TRACKED if getattr(a, "requires_grad", False) else a for a in args)
    settings = {"rtol": float(rtol), "atol": float(atol), **options}
    return _odeint(y0, t, *tracked, problem=Problem(func, constants, tfirst, settings))


# Stands for a tracked tensor among the arguments of func.
TRACKED = object()


class Problem(NamedTuple):
    """What defines a solution besides arrays.

    Attributes:
        func: the user's function.
        args: its further arguments, with `TRACKED` for those that are inputs of the op.
        tfirst: func takes t before y.
        settings: the options of SciPy's function.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    tfirst: bool
    settings: Mapping[str, Any]

    def derivative(self, y: Array, t: Array, inputs: Sequence[Array]) -> Array:
        """Return dy/dt, a vector."""
        rest: Iterator[Array] = iter(inputs)
        args = [next(rest) if a is TRACKED else a for a in self.args]
        return _as_vector(self.func(t, y, *args) if self.tfirst else self.func(y, t, *args))

    def derivative_array(self, y: Array, t: Array, inputs: Sequence[Array]) -> Array:
        """Return dy/dt for arrays, as an array."""
        found = self.derivative(y, t, inputs)
        if getattr(found, "requires_grad", False):
            name = getattr(self.func, "__name__", repr(self.func))
            raise ValueError(
                f"{name}, the function that odeint() integrates, depends on a tracked tensor that "
                "would get no gradient; pass each such tensor as an element of args, or use "
                "no_grad() if you need no gradients"
            )
        return unwrap(found)

    def solve(self, y0: Array, t: Sequence[Array], inputs: Sequence[Array]) -> Array:
        """Return the solution at the times `t`."""
        return _odeint(y0, np.stack(t), *inputs, problem=self)


def _as_vector(value: Any) -> Array:
    """Return a list of numbers and Tensors as one array or Tensor."""
    if not isinstance(value, list | tuple):
        return value
    return np.stack([v if isinstance(v, Tensor) else np.asarray(v) for v in value])


@special("arrays", module="integrate")
def _odeint(*arrays: Array, problem: Problem) -> Array:
    """The solution of an ordinary differential equation at given times.

    Args:
        arrays: the initial value, the times, and the tracked arguments of the user's function.
        problem: the function and the other settings.
    """
    y0, t, *inputs = arrays
    solution = scipy.integrate.odeint(
        lambda y, now: problem.derivative_array(y, now, inputs), y0, t, **problem.settings
    )
    return solution.astype(y0.dtype)


def _gradients(grad: Array, out: Array, arrays: Sequence[Array], problem: Problem) -> list[Array]:
    """Return the gradients of the initial value, the times and the arguments.

    The adjoint is the gradient of the later values with respect to y at the current time. Moving
    a later time changes the value at this time only; moving the first one delays all values.
    """
    # In float64, because the solver is; but its error cannot be less than the rounding of `out`.
    precision = max(problem.settings["rtol"], np.finfo(out.dtype).eps)
    settings = {**problem.settings, "rtol": precision}
    settings.pop("h0", None)  # the first step of other intervals, and in the other direction
    problem = problem._replace(settings=settings)
    grad, out, y0, t, *inputs = (a.astype(np.float64) for a in (grad, out, *arrays))
    derivative = problem.derivative if isinstance(grad, Tensor) else problem.derivative_array
    adjoint, by_inputs = grad[-1], [np.zeros_like(a) for a in inputs]
    by_times = []
    for i in range(len(t) - 1, 0, -1):
        by_times.append((derivative(out[i], t[i], inputs) * grad[i]).sum())
        interval = Interval(t[i - 1], t[i], out[i - 1], out[i])
        earlier, *found = _integrate_back(problem, interval, adjoint, inputs)
        by_inputs = _sums(by_inputs, found)
        adjoint = earlier + grad[i - 1]
    # The first value does not depend on the first time, so the last of its gradients is left out.
    by_times.append(-(derivative(out[0], t[0], inputs) * (adjoint - grad[0])).sum())
    found = [adjoint.reshape(y0.shape), np.stack(by_times[::-1]), *by_inputs]
    return [g.astype(a.dtype) for g, a in zip(found, arrays, strict=True)]


class Interval(NamedTuple):
    """Two times, and the solution at both."""

    start: Array
    end: Array
    y_start: Array
    y_end: Array


def _integrate_back(
    problem: Problem,
    interval: Interval,
    adjoint: Array,
    inputs: Sequence[Array],
    depth: int = 0,
) -> list[Array]:
    """Return the adjoint at the start, given that at the end, and the gradients of the inputs."""
    y, *found = _solve_adjoint_equation(problem, interval, adjoint, inputs)
    if _agrees(unwrap(y), unwrap(interval.y_start), problem.settings):
        return found
    start, end, y_start, y_end = interval
    if depth == _DEPTH:
        raise RuntimeError(
            f"the gradient of odeint() failed: its equation is too unstable to be integrated from "
            f"t = {unwrap(end)} back to t = {unwrap(start)}; use smaller tolerances"
        )
    middle = 0.5 * (start + end)
    y_middle = problem.solve(y_start, [start, middle], inputs)[1]
    later = Interval(middle, end, y_middle, y_end)
    adjoint, *by_later = _integrate_back(problem, later, adjoint, inputs, depth + 1)
    earlier = Interval(start, middle, y_start, y_middle)
    adjoint, *by_earlier = _integrate_back(problem, earlier, adjoint, inputs, depth + 1)
    return [adjoint, *_sums(by_later, by_earlier)]


def _solve_adjoint_equation(
    problem: Problem, interval: Interval, adjoint: Array, inputs: Sequence[Array]
) -> list[Array]:
    """Integrate y, the adjoint and the gradients of the inputs back from the end to the start."""
    from tinytorch_autograd import func  # a gradient is computed, so autograd is installed

    n = len(adjoint)
    ends = np.cumsum([n, n, *(a.size for a in inputs)]).tolist()

    def equation(state: Array, t: Array, *inputs: Array) -> Array:
        def derivative(y: Array, *inputs: Array) -> Tensor:
            found = problem.derivative(y, t, inputs)
            return found if isinstance(found, Tensor) else from_array(Tensor, np.asarray(found))

        dy, pull = func.vjp(derivative, state[:n], *inputs)
        products = pull(-state[n : 2 * n])
        return np.concatenate([dy, *(p.reshape(-1) for p in products)])

    state = np.concatenate([interval.y_end, adjoint, np.zeros(ends[-1] - 2 * n)])
    tracked = (TRACKED,) * len(inputs)
    backwards = Problem(equation, tracked, tfirst=False, settings=problem.settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # after a failure, y does not agree
        state = backwards.solve(state, [interval.end, interval.start], inputs)[1]
    y, adjoint, *found = np.split(state, ends[:-1])
    return [y, adjoint, *(g.reshape(a.shape) for g, a in zip(found, inputs, strict=True))]


def _agrees(y: Array, stored: Array, settings: Mapping[str, float]) -> bool:
    """Return whether y, integrated backwards, agrees with the stored y."""
    accepted = _ACCEPTED * (settings["atol"] + settings["rtol"] * abs(stored).max())
    return bool(np.all(abs(y - stored) <= accepted))


def _sums(ones: Sequence[Array], others: Sequence[Array]) -> list[Array]:
    return [one + other for one, other in zip(ones, others, strict=True)]


rule(_odeint, _gradients)
