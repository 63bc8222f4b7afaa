"""Data parallelism: a mesh of devices over which the batch is split."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinytorch_xla.array import Array
from tinytorch_xla.engine import jax
from tinytorch_xla.errors import XlaError

_mesh: ContextVar[Any] = ContextVar("mesh", default=None)


class Mesh:
    """Devices over which the first axis of each argument is split.

    Attributes:
        devices: the devices.
        batch: the name of the axis of the mesh.
        split: the sharding of the arguments.
        copied: the sharding of the state, which every device holds.
    """

    def __init__(self, devices: Sequence[Any], batch: str) -> None:
        self.devices, self.batch = tuple(devices), batch
        mesh = jax.sharding.Mesh(np.array(self.devices), (batch,))
        self.split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(batch))
        self.copied = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mesh) and self.devices == other.devices

    def __hash__(self) -> int:
        return hash(self.devices)


@contextlib.contextmanager
def shard(devices: int | Sequence[Any] | None = None, batch: str = "data") -> Iterator[Mesh]:
    """Split the batches of compiled steps over several devices, in a `with` block.

    In the block, each call of a function of `jit` splits the first axis of its arrays over the
    devices; the state is copied to each of them. The computation is that of the whole batch: XLA
    adds up the gradients, and BatchNorm sees all examples.

    Args:
        devices: the number of devices, or the devices themselves; None for all. In several
            processes, all processes must use all devices, and pass the same arrays.
        batch: the name of the axis of the mesh.

    Raises:
        XlaError: there are fewer devices.
    """
    known = jax.devices()
    if devices is None or isinstance(devices, int):
        count = len(known) if devices is None else devices
        if not 1 <= count <= len(known):
            raise XlaError(
                f"shard() of {count} devices, but JAX has {len(known)}: {known[:8]}; on a CPU, "
                "start Python with XLA_FLAGS=--xla_force_host_platform_device_count="
                f"{max(count, 1)}"
            )
        devices = known[:count]
    chosen: Any = devices
    token = _mesh.set(Mesh(chosen, batch))
    try:
        yield _mesh.get()
    finally:
        _mesh.reset(token)


def active_mesh() -> Any:
    """Return the mesh of the innermost `shard` block, or None."""
    return _mesh.get()


def unplaced(array: Any) -> Any:
    """Return the array of JAX in an array of ours, and anything else unchanged."""
    return array.value if array.__class__ is Array else array


def placed(array: Any, mesh: Any, state: bool) -> Any:
    """Return an array of JAX on the devices of a mesh, or as it is without one.

    Args:
        array: an array of ours or of NumPy.
        mesh: a `Mesh`, or None.
        state: whether every device holds all of it; otherwise the first axis is split.

    Raises:
        XlaError: the first axis cannot be split evenly.
    """
    value = unplaced(array)
    if mesh is None:
        return value
    target = mesh.copied if state or not array.shape else mesh.split
    if target is mesh.split and array.shape[0] % len(mesh.devices):
        raise XlaError(
            f"an array of shape {array.shape} cannot be split over {len(mesh.devices)} devices; "
            "use a batch size that is a multiple of their number, with drop_last=True"
        )
    if isinstance(value, jax.Array) and value.sharding == target:
        return value
    return jax.device_put(value, target)


def is_spread(array: Any) -> bool:
    """Return whether an array is on several devices."""
    return isinstance(array, Array) and len(array.value.devices()) > 1


def gathered(array: Array) -> Array:
    """Return an array that is on several devices on one of them."""
    return Array(jax.device_put(array.value, next(iter(array.value.sharding.addressable_devices))))
