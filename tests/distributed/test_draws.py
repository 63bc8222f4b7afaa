"""Random numbers on several ranks."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_distributed import DataParallel, rank_generator, run_threads
from tinytorch_layers import GRU, Dropout, Module, Sequential

X = np.ones((7, 4))
PARTS = [slice(0, 3), slice(3, 5), slice(5, 5), slice(5, 7)]


class Noise(Module):
    """Draws in several ways: for rows, for several values of each row, and for no rows."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(5)

    def forward(self, x):
        draw = self.generator
        rows = len(x)
        x = x + draw.normal(0, 1, (rows, 4)) + draw.uniform(size=(rows, 1))
        # A rank without rows cannot know how many there are for each of the others.
        halves = draw.standard_normal((rows * 2, 2)).reshape(rows, 4)
        return x + halves + draw.integers(0, 9, rows)[:, None] + draw.random() + draw.normal()


class Recurrence(Module):
    """Draws for the steps of sequences, which the op has one after another."""

    def __init__(self) -> None:
        options = {"dropout": 0.5, "batch_first": True, "dtype": np.float64, "generator": 1}
        self.layer = GRU(4, 3, 2, **options)

    def forward(self, x):
        return self.layer(np.stack([x, x, x], axis=1))[0].detach()


def outputs(model, x):
    return [np.array(model(x)) for _ in range(3)]


@pytest.mark.parametrize(
    "layer", [Noise, lambda: Sequential(Dropout(0.5, generator=1)), Recurrence]
)
def test_the_ranks_together_draw_the_numbers_of_one_process(layer):
    expected = outputs(layer(), X)

    def run(comm):
        model = layer()
        with DataParallel(comm).synchronize(model):
            return outputs(model, X[PARTS[comm.rank]])

    # Without the part without rows in the case of several values for each row.
    for i, whole in enumerate(expected):
        found = np.concatenate([part[i] for part in run_threads(run, 4)])
        np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_in_evaluation_mode_nothing_is_exchanged():
    def run(comm):
        model = Sequential(Dropout(0.5, generator=1))
        with DataParallel(comm).synchronize(model):
            model.eval()
            if comm.rank:
                return None  # would not take part
            return model(X).tolist()

    assert run_threads(run, 2, timeout=1)[0] == X.tolist()


def test_rank_generators_differ_and_repeat():
    def draw(comm):
        return rank_generator(3, comm).integers(1000, size=4).tolist()

    first = run_threads(draw, 3)
    assert len({tuple(numbers) for numbers in first}) == 3
    assert run_threads(draw, 3) == first

    def wrong(comm):
        with pytest.raises(ValueError, match="seed"):
            rank_generator(-1, comm)
        with pytest.raises(TypeError, match="seed"):
            rank_generator(None, comm)

    run_threads(wrong, 1)
