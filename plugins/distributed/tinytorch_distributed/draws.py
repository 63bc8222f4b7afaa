"""Random numbers on several ranks: the same as in one process, or different on each rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.random import Generator

from tinytorch_distributed.engine import Engine
from tinytorch_modules.arguments import integer

Array = Any

# The key of the states of all ranks in the state of a generator in a checkpoint.
RANKS = "ranks"

# The methods of a generator that draw independent numbers, with the position of `size`.
_METHODS = {
    **dict.fromkeys(("random", "standard_exponential", "standard_normal"), 0),
    **dict.fromkeys(("exponential", "geometric", "poisson", "standard_gamma"), 1),
    **dict.fromkeys(("binomial", "gumbel", "integers", "laplace", "logistic", "lognormal"), 2),
    **dict.fromkeys(("beta", "gamma", "normal", "uniform"), 2),
}


def rank_generator(seed: int, comm: Engine) -> Generator:
    """Return a random generator whose numbers differ on each rank.

    The streams are independent, and equal for equal seeds, ranks and positions.

    Args:
        seed: a non-negative integer, the same on all ranks.
        comm: the engine of this rank.

    Raises:
        TypeError, ValueError: `seed` is not a non-negative integer.

    >>> from tinytorch_distributed import run_threads
    >>> run_threads(lambda comm: rank_generator(0, comm).integers(100).item(), 2)
    [80, 66]
    """
    entropy = integer("rank_generator()", "seed", seed, minimum=0)
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(comm.rank,)))


def state_of_rank(saved: dict[str, Any], generator: Generator, comm: Engine) -> Any:
    """Return the state of this rank's generator from the states of all ranks in a checkpoint.

    If another number of ranks has saved it, the ranks get parts of the stream of rank 0 that do
    not overlap, unless the generators of all ranks had the same state.

    Args:
        saved: the state of rank 0, with those of all ranks as RANKS.
        generator: the generator that will get the state.
        comm: the engine of this rank.
    """
    states = saved.get(RANKS, [saved])
    if len(states) == comm.size:
        return states[comm.rank]
    if all(state == states[0] for state in states) and len(states) > 1:
        return states[0]
    source: Any = type(generator.bit_generator)()
    source.state = states[0]
    return source.jumped(1 + comm.rank).state if comm.rank else states[0]


class Rows:
    """How the rows of the present batch are divided among the ranks.

    Args:
        model: the model. Only in training mode the rows matter.
        comm: the engine of this rank.

    Attributes:
        counts: the number of rows of each rank in the last batch for training, or None.
    """

    def __init__(self, model: Any, comm: Engine) -> None:
        self._model, self._comm = model, comm
        self.counts: list[int] | None = None

    def exchange(self, count: int) -> None:
        """Tell the other ranks how many rows this one has."""
        counts = np.zeros(self._comm.size, np.int64)
        counts[self._comm.rank] = count
        self._comm.all_reduce(counts).wait()
        self.counts = counts.tolist()

    def whole(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], slice] | None:
        """Return the shape over all ranks of an array of this rank, and this rank's rows in it.

        Returns None in evaluation mode, and if the first axis does not consist of the rows of the
        batch. An axis of several elements for each row, as after a reshape, does.
        """
        if not self._model.training or not self.counts or not shape:
            return None
        own = self.counts[self._comm.rank]
        if shape[0] % own if own else shape[0]:
            return None
        times = shape[0] // own if own else 1
        first = times * sum(self.counts[: self._comm.rank])
        return (times * sum(self.counts), *shape[1:]), slice(first, first + shape[0])


class SharedGenerator(Generator):
    """A generator that draws for the rows of all ranks, and returns those of this rank.

    So the ranks together get the numbers that one process would draw for the whole batch, and the
    states of their generators stay equal. Draws without rows are the same on all ranks.

    Args:
        generator: the generator whose stream is used, in the same state on all ranks.
        rows: the rows of the ranks.
    """

    def __init__(self, generator: Generator, rows: Rows) -> None:
        super().__init__(generator.bit_generator)
        self._rows = rows

    def __reduce__(self) -> Any:
        # A copy is an ordinary generator: it does not communicate.
        return Generator, (self.bit_generator,)

    def __deepcopy__(self, memo: Any) -> Generator:
        kind = type(self.bit_generator)
        copied = kind()
        copied.state = self.bit_generator.state
        return Generator(copied)


def _drawing(name: str, position: int) -> Callable[..., Any]:
    own = getattr(Generator, name)

    def draw(self: SharedGenerator, *args: Any, **options: Any) -> Any:
        size: Any = options.get("size", args[position] if len(args) > position else None)
        shape: Any = (size,) if isinstance(size, int | np.integer) else size
        found = None if shape is None else self._rows.whole(tuple(shape))
        if found is None:
            return own(self, *args, **options)
        whole, rows = found
        if "size" in options:
            options["size"] = whole
        else:
            args = (*args[:position], whole, *args[position + 1 :])
        return own(self, *args, **options)[rows]

    draw.__name__ = name
    return draw


for _name, _position in _METHODS.items():
    setattr(SharedGenerator, _name, _drawing(_name, _position))


def generators_in(model: Any) -> Iterator[tuple[Any, str, Generator]]:
    """Yield the generators of a model's modules, as (module, attribute, generator)."""
    for _, module in model.named_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, Generator):
                yield module, name, value


def share_state(generators: list[Generator], comm: Engine) -> None:
    """Give generators the states that they have on rank 0."""
    states = comm.all_gather([g.bit_generator.state for g in generators] if not comm.rank else None)
    for generator, state in zip(generators, states[0], strict=True):
        generator.bit_generator.state = state


@contextmanager
def shared_draws(model: Any, comm: Engine) -> Iterator[None]:
    """Make the modules of a model draw as in one process, while they are in training mode.

    The rows of a batch are those of the first argument of the model.
    """
    found = list(generators_in(model))
    if not found or comm.size == 1:
        yield
        return
    generators = [generator for *_, generator in found]
    share_state(generators, comm)
    rows = Rows(model, comm)

    def before(module: Any, args: tuple[Any, ...]) -> None:
        # Nothing is written in evaluation mode, which tinytorch-compile may capture.
        if not module.training:
            return
        if rows.counts and 0 in rows.counts:
            # A rank without rows could not know how many numbers the others have drawn.
            share_state(generators, comm)
        rows.exchange(len(args[0]))

    handle = model.register_forward_pre_hook(before)
    shared = {id(g): SharedGenerator(g, rows) for *_, g in found}
    for module, name, generator in found:
        setattr(module, name, shared[id(generator)])
    try:
        yield
    finally:
        handle.remove()
        for module, name, generator in found:
            setattr(module, name, generator)
