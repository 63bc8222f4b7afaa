"""Checkpoints are written by rank 0, and another number of ranks continues from them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tinytorch_distributed import DataParallel, RankError, rank_generator, run_threads, shard
from tinytorch_training import Callback

from . import runs


class Interrupt(Callback):
    """Ends the run at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer, batches) -> None:
        if trainer.step == self.step:
            raise KeyboardInterrupt


def train(comm, file, interrupt=None):
    run = runs.trainer(comm)
    if interrupt is not None:
        run.callbacks.append(Interrupt(interrupt))
    loaders = [runs.data(), runs.validation()]
    if comm is not None:
        loaders = [shard(loader, comm) for loader in loaders]
    options = {"checkpoint": file, "checkpoint_every": 2, "resume": True}
    run.fit(loaders[0], 4, loaders[1], **options)
    return runs.result(run)


@pytest.mark.parametrize("sizes", [(2, 3), (3, 1), (1, 2)])
def test_a_run_continues_on_another_number_of_ranks(sizes, tmp_path):
    """The interruption is in the middle of the second epoch, after a checkpoint."""
    file = tmp_path / "run.safetensors"
    expected = runs.train(epochs=4)
    with pytest.raises(KeyboardInterrupt):
        run_threads(lambda comm: train(comm, file, 9), sizes[0])
    found = run_threads(lambda comm: train(comm, file), sizes[1])
    for other in found:
        runs.assert_equal(other, found[0])
        runs.assert_close(other, expected)


def test_a_run_continues_without_ranks(tmp_path):
    file = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run_threads(lambda comm: train(comm, file, 9), 2)
    runs.assert_close(train(None, file), runs.train(epochs=4))


def test_only_rank_0_writes(tmp_path):
    def run(comm):
        folder = tmp_path / str(comm.rank)
        folder.mkdir()
        trainer = runs.trainer(comm)
        trainer.fit(shard(runs.data(), comm), 1, checkpoint=folder / "run")
        trainer.save(folder / "saved")
        return len(list(folder.iterdir()))

    assert run_threads(run, 2) == [2, 0]


def test_a_checkpoint_that_a_rank_does_not_find_is_reported(tmp_path):
    file = tmp_path / "run"
    run_threads(lambda comm: train(comm, file), 1)
    shutil.copy(file, tmp_path / "0")

    def run(comm):
        trainer = runs.trainer(comm)
        folder = tmp_path / str(comm.rank)
        trainer.fit(shard(runs.data(), comm), 5, checkpoint=folder, resume=True)

    with pytest.raises(RankError, match="from a file system that they share"):
        run_threads(run, 2)


def draws(comm, file, load):
    generator = rank_generator(0, comm)
    run = runs.trainer(comm, generators={"noise": generator})
    assert isinstance(run.callbacks[0], DataParallel)
    if load:
        run.load(file)
    else:
        generator.random(comm.rank + 1)
        run.save(file)
    return generator.integers(1000, size=5).tolist()


def test_each_rank_continues_its_generator(tmp_path):
    file = tmp_path / "run"
    saved = run_threads(lambda comm: draws(comm, file, False), 2)
    assert run_threads(lambda comm: draws(comm, file, True), 2) == saved
    # More ranks get different streams.
    more = run_threads(lambda comm: draws(comm, file, True), 3)
    assert more[0] == saved[0]
    assert len({tuple(numbers) for numbers in [*more, saved[1]]}) == 4


def test_a_generator_that_the_ranks_share_stays_the_same(tmp_path):
    def run(comm, load):
        generator = np.random.default_rng(0)
        trainer = runs.trainer(comm, generators={"noise": generator})
        if load:
            trainer.load(tmp_path / "run")
        else:
            trainer.save(tmp_path / "run")
        return generator.random()

    run_threads(lambda comm: run(comm, False), 2)
    assert len(set(run_threads(lambda comm: run(comm, True), 3))) == 1
