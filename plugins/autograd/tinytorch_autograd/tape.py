"""GradientTape, for those who come from TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from tinytorch_core.tensor import TensorBase

from tinytorch_autograd import engine, gradients
from tinytorch_autograd.errors import AutogradError, UntrackedError
from tinytorch_autograd.modes import enable_grad
from tinytorch_autograd.node import Node

# A tape inside another records its own gradients for the outer one.
_open_tapes: ContextVar[int] = ContextVar("open_tapes", default=0)


class GradientTape:
    """Records what is computed from the watched tensors, inside a `with` block.

    A tensor made with `requires_grad=True` is watched by itself.

    Args:
        persistent: `gradient` may be called more than once.

    >>> from tinytorch_core import Tensor
    >>> x = Tensor([3.0])
    >>> with GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> tape.gradient(y, [x])
    [Tensor([6.])]
    """

    def __init__(self, persistent: bool = False) -> None:
        self.persistent = persistent
        self._watched: dict[int, tuple[Any, Node]] = {}
        self._to_release: list[Any] = []
        self._used = False
        self._open = False
        self._recording = enable_grad()

    def __enter__(self) -> GradientTape:
        if self._open:
            raise AutogradError("this tape is recording already; make another one to nest them")
        self._open = True
        self._recording.__enter__()
        _open_tapes.set(_open_tapes.get() + 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        _open_tapes.set(_open_tapes.get() - 1)
        self._recording.__exit__(kind, error, traceback)
        for tensor in self._to_release:
            tensor.requires_grad = False
        self._to_release.clear()

    def watch(self, tensors: Any) -> None:
        """Records what is computed from a tensor, or from each of several.

        Raises:
            AutogradError: the tape is not open.
            TypeError: not a tensor, or one of integers.
        """
        if not self._open:
            raise AutogradError("watch() is for the inside of the tape's `with` block")
        for tensor in _each(tensors):
            if not isinstance(tensor, TensorBase):
                raise TypeError(f"a tape watches tensors, not {type(tensor).__name__}")
            if not tensor.requires_grad:
                tensor.requires_grad = True
                self._to_release.append(tensor)
            self._watched[id(tensor)] = (tensor, tensor._node)

    def gradient(self, target: Any, sources: Any) -> Any:
        """The derivative of `target`, its elements added up, with respect to `sources`.

        Args:
            target: a tensor computed while the tape was open.
            sources: a tensor, or a list or tuple of them.

        Returns:
            A Tensor for each source in the same structure; None where the target does not
            depend on it.

        Raises:
            AutogradError: the tape is not persistent and was used before.
            UntrackedError: the target was not recorded.
        """
        if self._used and not self.persistent:
            raise AutogradError(
                "this tape was used already; GradientTape(persistent=True) gives several gradients"
            )
        node = gradients.node_of(target, "GradientTape.gradient()")
        wanted = _each(sources)
        nodes = [self._node(source) for source in wanted]
        nested = _open_tapes.get() > 0
        seed = gradients.first_gradient(target, target._data * 0 + 1)
        found = engine.walk(
            [(node, type(target)._from_array(seed) if nested else seed)],
            targets=[n for n in nodes if n is not None],
            retain_graph=self.persistent or nested,
            create_graph=nested,
        )
        self._used = True
        results = [
            None if n is None else gradients.result(source, n, found)
            for source, n in zip(wanted, nodes, strict=True)
        ]
        if isinstance(sources, TensorBase):
            return results[0]
        return results if isinstance(sources, list) else tuple(results)

    def _node(self, source: Any) -> Node | None:
        if id(source) in self._watched:
            return self._watched[id(source)][1]
        if not isinstance(source, TensorBase):
            raise TypeError(f"sources are tensors, not {type(source).__name__}")
        if source._node is None:
            raise UntrackedError(
                f"a source of shape {source.shape} was not watched; "
                "call tape.watch(x) before computing with it"
            )
        node: Node = source._node
        return node


def _each(tensors: Any) -> Sequence[Any]:
    return [tensors] if isinstance(tensors, TensorBase) else list(_iterable(tensors))


def _iterable(value: Any) -> Iterable[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"a tensor or a sequence of them is needed, not {type(value).__name__}")
    return value
