"""GradientTape, with the interface of TensorFlow's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import engine, gradients, tree
from tinytorch_autograd.errors import AutogradError, UntrackedError
from tinytorch_autograd.func.matrices import row_by_row
from tinytorch_autograd.modes import enable_grad, no_grad
from tinytorch_autograd.node import Node
from tinytorch_autograd.tracking import is_tracked

# The number of open tapes. While one is open, the gradients of an inner tape are recorded.
_open_tapes: ContextVar[int] = ContextVar("open_tapes", default=0)


class GradientTape:
    """Record operations on the watched tensors inside a `with` block.

    Tensors that require grad are always watched.

    Args:
        persistent: allow more than one call of `gradient` and `jacobian`.

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
        self._to_unwatch: list[Any] = []
        self._used = False
        self._open = False
        self._recording = enable_grad()

    def __enter__(self) -> GradientTape:
        if self._open:
            raise AutogradError("this tape is open already; create another tape to nest them")
        self._open = True
        self._recording.__enter__()
        _open_tapes.set(_open_tapes.get() + 1)
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        _open_tapes.set(_open_tapes.get() - 1)
        self._recording.__exit__(*error)
        for tensor in self._to_unwatch:
            tensor.requires_grad = False
        self._to_unwatch.clear()

    def watch(self, tensors: Any) -> None:
        """Record operations on a tensor, or on each tensor in a container.

        Raises:
            AutogradError: the tape is not open.
            TypeError: something is not a tensor, or has an integer dtype.
        """
        if not self._open:
            raise AutogradError("the tape is closed; call watch() inside its `with` block")
        for tensor in tree.leaves(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"a tape can watch Tensors only, not {type(tensor).__name__}")
            if not tensor.requires_grad:
                tensor.requires_grad = True
                self._to_unwatch.append(tensor)
            self._watched[id(tensor)] = (tensor, tensor._node)

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Turn recording off inside a `with` block, like `no_grad`.

        Raises:
            AutogradError: the tape is not open.
        """
        if not self._open:
            raise AutogradError("the tape is closed; call stop_recording() inside its `with` block")
        with no_grad():
            yield

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None) -> Any:
        """Return the gradient of the sum of the elements of `target` with respect to `sources`.

        Args:
            target: a tensor computed while the tape was open, or a container of them.
            sources: a tensor, or a container of them.
            output_gradients: weights for the elements of the target, in the structure of
                `target`; 1 by default.

        Returns:
            A Tensor for each source, in the structure of `sources`; None for a source that no
            target depends on.

        Raises:
            AutogradError: the tape is not persistent and was used before.
            UntrackedError: no target was recorded, or a source was not watched.
            ValueError: `output_gradients` differs from the target in structure or shape.
        """
        self._use()
        targets = tree.leaves(target)
        if not any(map(is_tracked, targets)):
            gradients.node_of(targets[0] if targets else target, "GradientTape.gradient()")
        if output_gradients is None:
            weights = [np.ones_like(y.data) for y in targets]
        else:
            weights = tree.leaves(output_gradients)
        if len(weights) != len(targets):
            raise ValueError(
                f"output_gradients has the structure {tree.outline(output_gradients)}, but must "
                f"have that of the target, {tree.outline(target)}"
            )
        seeds = [(y, w) for y, w in zip(targets, weights, strict=True) if is_tracked(y)]
        return self._gradients(seeds, sources, self.persistent)

    def jacobian(self, target: Any, sources: Any) -> Any:
        """Return all partial derivatives of `target` with respect to `sources`.

        Args:
            target: a tensor of shape T computed while the tape was open.
            sources: a tensor, or a container of them.

        Returns:
            A Tensor of shape T + S for each source of shape S, in the structure of `sources`; None
            for a source that the target does not depend on.

        Raises:
            AutogradError, UntrackedError: as `gradient`.
        """
        self._use()
        gradients.node_of(target, "GradientTape.jacobian()")
        wanted = tree.leaves(sources)
        blocks = row_by_row(
            target, wanted, lambda seed: self._gradients([(target, seed)], wanted, True)
        )
        return tree.fill(sources, blocks)

    def _use(self) -> None:
        if self._used and not self.persistent:
            raise AutogradError(
                "this tape was used already; create it with GradientTape(persistent=True) to "
                "compute several gradients"
            )

    def _gradients(self, seeds: Sequence[tuple[Any, Any]], sources: Any, keep: bool) -> Any:
        wanted = tree.leaves(sources)
        nodes = [self._node(source) for source in wanted]
        nested = _open_tapes.get() > 0
        roots = []
        for y, weight in seeds:
            seed = gradients.first_gradient(y, weight)
            roots.append((y._node, from_array(type(y), seed) if nested else seed))
        found = engine.backward_pass(
            roots, targets=nodes, retain_graph=keep or nested, create_graph=nested
        )
        self._used = True
        return tree.fill(sources, gradients.results_for(wanted, nodes, found, connect=nested))

    def _node(self, source: Any) -> Node:
        if id(source) in self._watched:
            return self._watched[id(source)][1]
        if not isinstance(source, Tensor):
            raise TypeError(f"sources must be Tensors, not {type(source).__name__}")
        node: Node | None = getattr(source, "_node", None)
        if node is None:
            raise UntrackedError(
                f"a source of shape {source.shape} was not watched; "
                "call tape.watch(x) before computing with it"
            )
        return node
