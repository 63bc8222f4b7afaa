"""Buckets of gradients that are added over the ranks while the backward pass runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from tinytorch_distributed.engine import Engine, Work

Array = Any


class Reducer:
    """Adds the gradients of parameters over the ranks.

    A gradient is copied into its bucket as soon as the last expected backward pass has computed it,
    and a bucket is sent when it is full. Buckets are sent in the same order on all ranks.

    Args:
        parameters: the parameters that require grad. Buckets are filled from the last one on,
            because the backward pass reaches it first.
        comm: the engine of this rank.
        bucket_bytes: the size of a bucket; larger parameters have one of their own.
    """

    def __init__(self, parameters: Sequence[Any], comm: Engine, bucket_bytes: int) -> None:
        self._comm = comm
        self._buckets = [_Bucket(group) for group in _groups(parameters[::-1], bucket_bytes)]
        self._sent = 0
        # How many backward passes will still reach each parameter in this step; empty after it.
        self._passes: dict[int, int] = {}
        self._handles: list[Any] = []

    def expect(self, passes: int) -> None:
        """Begin a step: the gradients are complete after so many backward passes."""
        self._sent = 0
        # Registered again in each step, so that they run after the hooks of the program.
        self.close()
        for bucket in self._buckets:
            bucket.begin()
            for i, parameter in enumerate(bucket.parameters):
                self._passes[id(parameter)] = passes
                self._handles.append(parameter.register_hook(partial(self._found, bucket, i)))

    def finish(self) -> None:
        """Send what was not sent, wait for all sums, and set the gradients to them.

        A parameter that has no gradient on any rank keeps None.

        Raises:
            RankError: another rank failed, or did not take part in time.
        """
        self._passes.clear()
        for bucket in self._buckets[self._sent :]:
            bucket.add_missing()
        self._send_full()
        for bucket in self._buckets:
            bucket.finish()
        self._sent = 0
        # A compiled evaluation would not be used for parameters with hooks.
        self.close()

    def close(self) -> None:
        """Remove the hooks from the parameters."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _found(self, bucket: _Bucket, i: int, grad: Array) -> None:
        """Note the gradient of one backward pass, which will be added to those of earlier ones."""
        key = id(bucket.parameters[i])
        left = self._passes.get(key, 0)
        if left == 0:
            return
        self._passes[key] = left - 1
        if left == 1:
            bucket.add(i, grad)
            self._send_full()

    def _send_full(self) -> None:
        buckets = self._buckets
        for bucket in buckets[: self._sent]:
            bucket.progress()
        while self._sent < len(buckets) and buckets[self._sent].is_full:
            buckets[self._sent].send(self._comm)
            self._sent += 1


class _Bucket:
    """The gradients of some parameters of the same dtype in one array.

    At its end are numbers that count the ranks on which each parameter has a gradient.
    """

    def __init__(self, parameters: Sequence[Any]) -> None:
        self.parameters = parameters
        self._ends = list(accumulate(p.size for p in parameters))
        dtype = parameters[0].dtype
        # Libraries for messages do not know float16.
        wide = np.dtype(np.float32) if dtype.char == "e" else dtype
        self._array = np.empty(self._ends[-1] + len(parameters), wide)
        # Complex numbers are sent as pairs of real ones, which every library can add.
        self._sent = self._array.view(self._array.real.dtype)
        self._missing: set[int] = set()
        self._work: Work | None = None

    def begin(self) -> None:
        self._missing, self._work = set(range(len(self.parameters))), None
        self._array[self._ends[-1] :] = 0

    @property
    def is_full(self) -> bool:
        return not self._missing

    def _part(self, i: int) -> Array:
        end, parameter = self._ends[i], self.parameters[i]
        return self._array[end - parameter.size : end].reshape(parameter.shape)

    def add(self, i: int, grad: Array) -> None:
        """Store the gradient of a backward pass, added to what the earlier ones have left."""
        before, part = self.parameters[i].grad, self._part(i)
        if before is None:
            part[...] = grad
        else:
            np.add(before, grad, out=part, casting="same_kind")
        self._missing.discard(i)
        self._array[self._ends[-1] + i] = 1

    def add_missing(self) -> None:
        """Store the gradients that no hook has seen, and zeros for those that do not exist."""
        for i in self._missing:
            grad = self.parameters[i].grad
            self._part(i)[...] = 0 if grad is None else grad
            self._array[self._ends[-1] + i] = 0 if grad is None else 1
        self._missing = set()

    def send(self, comm: Engine) -> None:
        self._work = comm.all_reduce(self._sent)

    def progress(self) -> None:
        if self._work is not None:
            self._work.test()

    def finish(self) -> None:
        """Wait for the sum, and set the gradients."""
        assert self._work is not None
        self._work.wait()
        counts = self._array[self._ends[-1] :].real
        for i, parameter in enumerate(self.parameters):
            if counts[i]:
                parameter.grad = self._part(i).astype(parameter.dtype)


def _groups(parameters: Sequence[Any], bucket_bytes: int) -> list[list[Any]]:
    """Return the parameters in groups of one dtype and at most so many bytes."""
    groups: list[list[Any]] = []
    size = 0
    for parameter in parameters:
        size += parameter.data.nbytes
        if not groups or groups[-1][0].dtype != parameter.dtype or size > bucket_bytes:
            groups.append([])
            size = parameter.data.nbytes
        groups[-1].append(parameter)
    return groups
