"""The engine: the backward pass through a recorded graph.

Nodes are numbered in order of creation, and a node is younger than its inputs. A traversal in
descending order therefore reaches each node after everything that used its output, when its
gradient is complete. Nothing recurses, however deep the graph is.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence, Set
from operator import attrgetter
from typing import Any

from tinytorch_core.extend import current_thread_or_task

from tinytorch_autograd import writes
from tinytorch_autograd.complex_numbers import conj, is_complex, real_part
from tinytorch_autograd.errors import LostGradientError, NoRuleError, UntrackedError
from tinytorch_autograd.modes import enable_grad
from tinytorch_autograd.node import AccumulateGrad, Function, Node

_number = attrgetter("number")

# When recording stopped because autograd was disabled, the latest last: the numbers of the first
# and the last time, and who disabled it, a thread or task.
_stops: list[tuple[int, int, weakref.ref[object]]] = []
# With more stops, the oldest two become one: between its numbers, recording counts as stopped.
_MOST_STOPS = 1000


def nodes_of(roots: Iterable[Node]) -> tuple[list[Function], set[Node | None]]:
    """Return the recorded ops that `roots` depend on, the youngest first, and all nodes.

    Raises:
        GraphFreedError: an earlier backward pass has freed one of them.
    """
    seen: set[Node | None] = {None, *roots}
    found = [node for node in seen if isinstance(node, Function)]
    for node in found:
        if node.edges is None:
            raise node.freed()
    for node in found:  # grows during the loop
        for edge in node.edges:  # type: ignore[union-attr]
            if edge not in seen:
                seen.add(edge)
                if edge.edges:  # type: ignore[union-attr]
                    found.append(edge)  # type: ignore[arg-type]
                elif edge.edges is None:  # type: ignore[union-attr]
                    raise edge.freed()  # type: ignore[union-attr]
    found.sort(key=_number, reverse=True)
    seen.discard(None)
    return found, seen


def backward_pass(
    seeds: Sequence[tuple[Node, Any]],
    *,
    targets: Iterable[Node] | None = None,
    allow_unused: bool = True,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Node, Any]:
    """Return the gradients of the leaves, or of `targets`, by node.

    A gradient of None is zero: the outputs depend on the node, but no rule passed a gradient to it.

    Args:
        seeds: the nodes to start from, with the gradients of their outputs.
        targets: the nodes whose gradients are wanted; by default all leaves.
        allow_unused: omit a target on which no output depends, instead of raising.
        retain_graph: keep what the nodes saved, for another backward pass.
        create_graph: compute the gradients as Tensors, and record the computation.

    Raises:
        GraphFreedError: an earlier backward pass has freed part of the graph.
        NoRuleError: an op between an output and a target has no backward rule.
        LostGradientError: another thread has disabled autograd while the graph was recorded.
        ModifiedError: an array that such an op has saved has been written into.
        UntrackedError: no output depends on a target, and `allow_unused` is false.
    """
    order, reached = nodes_of(node for node, _ in seeds)
    useful: Set[Node | None] | None = None
    expected = len(reached) - len(order)
    wanted: set[Node] = set()
    if targets is not None:
        wanted = set(targets)
        if not allow_unused and not wanted <= reached:
            raise _unused(wanted - reached)
        order, useful = _leading_to(wanted, order)
        expected = len(wanted)
    check(order)
    recording = enable_grad() if create_graph else None
    if recording is not None:
        recording.__enter__()
    try:
        pending: dict[Node, Any] = {}
        real = None
        for start, seed in seeds:
            grad = conj(seed)
            if grad is seed:
                real = seed.dtype
            have = pending.get(start)
            pending[start] = grad if have is None else have + grad
        options = useful, wanted, retain_graph, create_graph
        hooked = _hooked_leaves(wanted or reached) if AccumulateGrad.any_hooks else None
        if hooked:
            kept = _propagate_to(hooked, pending, order, *options)
        else:
            kept = propagate(pending, order, *options)
        # The leaves, and the targets at which the traversal ended, remain in `pending`.
        for end, grad in pending.items():
            if end.hooks is not None and not (hooked and end in hooked):
                grad = pending[end] = run_hooks(end, grad)
            try:
                is_real = grad.dtype is real
            except AttributeError:  # not an array: a rule is wrong, as `fit` reports
                continue
            if not is_real:
                pending[end] = conj(grad)
    finally:
        if recording is not None:
            recording.__exit__()
    pending.update(kept)
    if len(pending) < expected:
        ends = wanted if targets is not None else reached.difference(order)
        pending.update(dict.fromkeys((ends & reached) - pending.keys()))  # type: ignore[arg-type]
    return pending


def propagate(
    pending: dict[Node, Any],
    order: Sequence[Function],
    useful: Set[Node | None] | None,
    wanted: Set[Node],
    retain_graph: bool,
    create_graph: bool,
) -> dict[Node, Any]:
    """Propagate the gradients in `pending` through the nodes of `order`, the youngest first.

    Args:
        pending: the gradients by node, conjugate if complex. At the end it holds those of the
            nodes that were reached and are not in `order`.
        order: the nodes to traverse, the youngest first.
        useful: the nodes whose gradients matter; None for all.
        wanted: the nodes in `order` whose gradients are returned.
        retain_graph, create_graph: as in `backward_pass`.

    Returns:
        The gradients of the `wanted` nodes.
    """
    kept: dict[Node, Any] = {}
    take = pending.pop
    real = None  # the dtype of the last real gradient: comparing with it costs almost nothing
    for node in order:
        grad = take(node, None)
        if grad is None:
            continue
        try:
            dtype = grad.dtype
        except AttributeError:  # a number, which a wrong rule has returned
            dtype = None
        if dtype is not real:
            if not is_complex(grad):
                real = dtype
            elif node.has_real_output():
                grad = real_part(grad)
        if node.hooks is not None:
            number = writes.next_number()
            grad = run_hooks(node, grad)
            if writes.any_since(number):
                writes.check([n for n in order if n.number <= node.number])
        if wanted and node in wanted:
            kept[node] = conj(grad)
        parts = node.lifted().gradients(grad) if create_graph else node.gradients(grad)
        # `strict` would cost each node 0.13 µs. A rule has as many functions as inputs; a rule of
        # a variadic op is checked when it is called.
        for edge, part in zip(node.edges, parts):  # type: ignore[arg-type] # noqa: B905
            if part is not None and edge is not None and (useful is None or edge in useful):
                pending[edge] = pending[edge] + part if edge in pending else part
        if not retain_graph:
            node.edges = None
            node.saved = ()
    return kept


def _hooked_leaves(nodes: Iterable[Node | None]) -> set[Node]:
    return {node for node in nodes if node.__class__ is AccumulateGrad and node.hooks is not None}


def _propagate_to(
    leaves: Set[Node],
    pending: dict[Node, Any],
    order: Sequence[Function],
    *options: Any,
) -> dict[Node, Any]:
    """Do the same as `propagate`, and run the hooks of leaves as soon as their gradients are known.

    Args:
        leaves: the leaves with hooks.
        pending, order, options: the arguments of `propagate`.
    """
    last = {edge: i for i, n in enumerate(order) for edge in n.edges or () if edge in leaves}
    complete: dict[int, list[Node]] = {}
    for leaf in leaves:
        complete.setdefault(last.get(leaf, -1) + 1, []).append(leaf)
    kept: dict[Node, Any] = {}
    start = 0
    for end in sorted({*complete, len(order)}):
        number = writes.next_number()
        kept |= propagate(pending, order[start:end], *options)
        for leaf in complete.get(end, ()):
            if leaf in pending:
                pending[leaf] = run_hooks(leaf, pending[leaf])
        if writes.any_since(number):
            writes.check(order[end:])
        start = end
    return kept


def _leading_to(
    targets: Set[Node], order: Sequence[Function]
) -> tuple[list[Function], Set[Node | None]]:
    """Return the nodes that lead to `targets`, and the same nodes together with the targets."""
    useful: set[Node | None] = set(targets)
    leading = []
    for node in reversed(order):
        if any(edge in useful for edge in node.next_functions):
            useful.add(node)
            leading.append(node)
    return leading[::-1], useful


def run_hooks(node: Node, grad: Any) -> Any:
    """Return the gradient after the hooks of a node, each of which may replace it."""
    grad = conj(grad)
    for hook in node.hooks or ():
        replaced = hook(grad)
        grad = grad if replaced is None else replaced
    return conj(grad)


def _unused(nodes: Iterable[Node | None]) -> UntrackedError:
    return UntrackedError(
        f"the outputs do not depend on an input, {next(iter(nodes))!r}; "
        "pass allow_unused=True to get None for it"
    )


def check(nodes: Sequence[Function]) -> None:
    """Raise an error if a backward pass through `nodes`, the youngest first, would be wrong.

    Raises:
        NoRuleError: one of them belongs to an op without a backward rule.
        LostGradientError: another thread has disabled autograd while they were recorded.
        ModifiedError: an array that one of them has saved has been written into.
    """
    for node in nodes:
        if not node.has_rule:
            raise _no_rule(node)
    if _stops and nodes:
        _check_stops(nodes[-1].number, nodes[0].number)
    writes.check(nodes)


def note_stop() -> None:
    """Note that autograd was disabled, so that ops of other threads may not have been recorded."""
    number = writes.next_number()
    _stops.append((number, number, weakref.ref(current_thread_or_task())))
    if len(_stops) > _MOST_STOPS:
        (first, _, who), (_, last, other) = _stops[:2]
        _stops[:2] = [(first, last, who if who == other else weakref.ref(note_stop))]


def _check_stops(oldest: int, youngest: int) -> None:
    """Raise LostGradientError if another thread stopped recording between these two nodes."""
    if oldest > _stops[-1][1]:
        return
    me = current_thread_or_task()
    for first, last, who in _stops.copy():
        if oldest < last and first < youngest and who() is not me:
            raise LostGradientError(
                "another thread has disabled autograd while the ops of this graph ran, so some of "
                "them may not have been recorded, and the gradient would be wrong; compute it "
                "again, and toggle plugins only while no other thread computes. To turn recording "
                "off in one thread, use `with no_grad():`"
            )


def _no_rule(node: Function) -> NoRuleError:
    name, provider = node.saved
    return NoRuleError(
        f"{name}, of {provider}, was applied to a tracked tensor and has no backward rule. "
        "Add one in tinytorch_register_backward, compute it from ops that have one, or "
        "detach() its input to treat it as a constant"
    )
