"""DataParallel, training with the same parameters and different examples on each rank."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import zip_longest
from typing import Any, Self

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_distributed.averages import combined, part_of_rank
from tinytorch_distributed.buckets import Reducer
from tinytorch_distributed.draws import RANKS, shared_draws, state_of_rank
from tinytorch_distributed.engine import Engine, checked, describe
from tinytorch_distributed.errors import RankError
from tinytorch_distributed.normalization import SyncBatchNorm
from tinytorch_layers import BatchNorm1d, BatchNorm2d
from tinytorch_modules.arguments import integer, number
from tinytorch_training import Callback

Array = Any


class DataParallel(Callback):
    """Trains one model on several ranks, each with its part of every batch.

    As a callback of a Trainer, or around a loop. In both cases

    - all ranks begin with the parameters and buffers of rank 0,
    - gradients are those of the mean over the examples of all ranks, before they are checked and
      clipped; they are added in buckets while the backward pass runs,
    - layers draw, in training mode, the numbers that one process would draw for the whole batch,
    - an exception on one rank also ends the others, with RankError.

    So the ranks have equal parameters after every step, up to rounding those of one process. A
    model with BatchNorm also needs `SyncBatchNorm.convert_sync_batchnorm`.

    With a Trainer, the losses and metrics are averages over all ranks, and rank 0 writes the
    checkpoints, which another number of ranks can continue. Every rank must call the same methods
    of the Trainer.

    Args:
        comm: the engine of this rank: `mpi()`, `gloo()` or that of `run_threads`.
        bucket_bytes: the size of the messages with gradients.

    Raises:
        TypeError, ValueError: `comm` is not an engine, or `bucket_bytes` is not a positive integer.

    >>> from tinytorch_distributed import run_threads, shard
    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, DataLoader, TensorDataset, Trainer
    >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    >>> def train(comm):
    ...     model = Linear(1, 1, generator=0)
    ...     loss = lambda y, t: ((y - t) ** 2).mean()
    ...     optimizer = SGD(model.parameters(), 0.3)
    ...     trainer = Trainer(model, loss, optimizer, callbacks=[DataParallel(comm)])
    ...     trainer.fit(shard(DataLoader(TensorDataset(x, 3 * x + 1), 8), comm), epochs=20)
    ...     return round(model.weight.item(), 2)
    >>> run_threads(train, 2)
    [3.0, 3.0]
    """

    in_trials = True

    def __init__(self, comm: Engine, *, bucket_bytes: int = 4 * 2**20) -> None:
        self.comm = checked("DataParallel", comm)
        self.bucket_bytes = integer("DataParallel", "bucket_bytes", bucket_bytes)
        self.writes = comm.rank == 0
        self._model: Any = None
        self._reducer: Reducer | None = None
        self._undo = ExitStack()

    # Around a loop.

    def synchronize(self, model: Any) -> Self:
        """Give a model the parameters and buffers of rank 0, and prepare it for `backward`.

        Use it in a `with` block, at whose end the model is as before:

            with DataParallel(comm).synchronize(model) as parallel:
                for x, y in shard(loader, comm):
                    optimizer.zero_grad()
                    parallel.backward(loss(model(x), y), examples=len(x))
                    optimizer.step()

        Raises:
            RankError: the models of the ranks differ in names, shapes, dtypes or `requires_grad`.
            RuntimeError: another model is synchronized.

        Warns:
            UserWarning: the model contains BatchNorm, whose statistics would be those of one rank.
        """
        if self._reducer is not None:
            raise RuntimeError("this DataParallel already has a model; create another one")
        _warn_about_batch_norm(model)
        _broadcast(model, self.comm)
        tracked = [p for _, p in model.named_parameters() if p.requires_grad]
        self._model, self._reducer = model, Reducer(tracked, self.comm, self.bucket_bytes)
        self._undo.callback(self._reducer.close)
        self._undo.enter_context(shared_draws(model, self.comm))
        return self

    def backward(self, loss: Any, examples: float, *, last: bool = True) -> None:
        """Compute the gradients of the mean loss over the examples of all ranks.

        Args:
            loss: the mean loss over the examples of this rank, a Tensor of one element.
            examples: the number of these examples. It may differ between ranks.
            last: whether this is the last backward pass before the step of the optimizer. With
                False, the gradients are only added to `grad`; their sum over ranks comes later.

        Raises:
            ValueError: `examples` is negative.
            RankError: another rank failed, or did not take part in time.
            RuntimeError: no model is synchronized.
        """
        if self._reducer is None:
            raise RuntimeError("call synchronize(model) before backward()")
        count = number("backward()", "examples", examples, 0, np.inf, ends="[)")
        (weight,) = self._weights([count], passes=int(last))
        loss.backward(np.full(loss.shape, weight))
        if last:
            self._reducer.finish()

    def close(self) -> None:
        """Restore the model's random generators, and remove the hooks from its parameters."""
        self._model = self._reducer = None
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, *traceback: object) -> None:
        if error is not None:
            self._report(error)
        self.close()

    # As a callback.

    def on_fit_start(self, trainer: Any) -> None:
        """Synchronize the model, after checking that all ranks continue from the same step."""
        progress = self.comm.all_gather((trainer.epoch, trainer.step, _length(trainer)))
        for rank, other in enumerate(progress):
            if other != progress[0]:
                names = "epoch {}, step {} with {} batches in an epoch"
                raise RankError(
                    f"rank {rank} is at {names.format(*other)}, but rank 0 at "
                    f"{names.format(*progress[0])}; all ranks must load the same checkpoint, from "
                    "a file system that they share, and get their data from shard()"
                )
        self.synchronize(trainer.model)
        trainer.batch_weights = self._weights

    def on_after_backward(self, trainer: Any) -> None:
        """Replace the gradients by those of the mean over all ranks."""
        if self._reducer is not None:
            self._reducer.finish()

    def on_averages(self, trainer: Any, averages: Any) -> None:
        """Replace the sums of this rank by those over all ranks."""
        averages.load_state_dict(combined(self.comm.all_gather(averages.state_dict())))

    def on_validation_start(self, trainer: Any) -> None:
        """Give all ranks the buffers of rank 0, which differ with BatchNorm only."""
        _send([buffer for _, buffer in trainer.model.named_buffers()], self.comm)

    def on_save(self, trainer: Any, state: dict[str, Any]) -> None:
        """Put the sums over all ranks, and the generators of all ranks, into a checkpoint."""
        if state["averages"]["examples"]:
            state["averages"] = combined(self.comm.all_gather(state["averages"]))
        if trainer.generators:
            own = {name: state["generators"][name] for name in trainer.generators}
            ranks = self.comm.all_gather(own)
            for name in own:
                others = [states[name] for states in ranks]
                state["generators"][name] = {**own[name], RANKS: others}

    def on_load(self, trainer: Any, state: dict[str, Any]) -> None:
        """Take the part of this rank from a checkpoint."""
        state["averages"] = part_of_rank(state["averages"], self.comm.rank)
        for name, generator in trainer.generators.items():
            saved = state["generators"][name]
            state["generators"][name] = state_of_rank(saved, generator, self.comm)

    def on_fit_end(self, trainer: Any) -> None:
        """Release the model."""
        trainer.batch_weights = None
        self.close()

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Tell the other ranks, and release the model."""
        self._report(error)
        self.on_fit_end(trainer)

    def _weights(self, shares: Sequence[float], passes: int | None = None) -> list[float]:
        """Return the weights of this rank's batches in the mean over the batches of all ranks."""
        assert self._reducer is not None
        total = np.array([sum(shares)], np.float64)
        self.comm.all_reduce(total).wait()
        self._reducer.expect(len(shares) if passes is None else passes)
        return [share / float(total[0]) if share else 0.0 for share in shares]

    def _report(self, error: BaseException) -> None:
        if not isinstance(error, RankError):
            self.comm.fail(describe(error))


def _length(trainer: Any) -> int | None:
    data = trainer.loaders.get("data")
    return len(data) if hasattr(data, "__len__") else None


def _warn_about_batch_norm(model: Any) -> None:
    for name, module in model.named_modules():
        own = isinstance(module, BatchNorm1d | BatchNorm2d)
        if own and not isinstance(module, SyncBatchNorm):
            warnings.warn(
                f"{name or 'the model'} is {module}, which normalizes with the mean and variance "
                "of this rank's examples, so the result depends on the number of ranks; call "
                "SyncBatchNorm.convert_sync_batchnorm(model, comm) before creating the optimizer",
                stacklevel=4,
            )
            return


def _broadcast(model: Any, comm: Engine) -> None:
    """Give all ranks the parameters and buffers of rank 0."""
    arrays = dict(model.named_parameters()) | dict(model.named_buffers())
    own = [
        (name, tuple(a.shape), str(a.dtype), bool(getattr(a, "requires_grad", False)))
        for name, a in arrays.items()
    ]
    for rank, other in enumerate(comm.all_gather(own)):
        if other != own:
            raise RankError(
                f"the models of ranks {comm.rank} and {rank} differ, first in "
                f"{_difference(own, other)}; all ranks must create the same model"
            )
    _send(list(arrays.values()), comm)


def _difference(own: list[Any], other: list[Any]) -> str:
    """Return the first tensors in which two models differ, as text."""
    return next(
        f"{_text(one)} and {_text(another)}"
        for one, another in zip_longest(own, other)
        if one != another
    )


def _text(found: Any) -> str:
    if found is None:
        return "nothing"
    name, shape, dtype, requires_grad = found
    return f"{name} of shape {shape}, {dtype}, requires_grad={requires_grad}"


def _send(tensors: Sequence[Any], comm: Engine) -> None:
    """Replace the values of tensors or ndarrays by those of rank 0."""
    for tensor in tensors:
        array = unwrap(tensor)
        # As bytes: libraries for messages do not know every dtype.
        sent = np.array(array, order="C").reshape(-1).view(np.uint8)
        comm.broadcast(sent)
        array[...] = sent.view(array.dtype).reshape(array.shape)
