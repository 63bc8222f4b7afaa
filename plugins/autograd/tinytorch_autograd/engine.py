"""The engine: walks a recorded graph back and collects gradients.

Nodes are numbered in order of creation, and a node's inputs are older than the node. So walking
in descending order meets each node after everything that used its output: its gradient is then
complete. Nothing recurses, however deep the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from operator import attrgetter
from typing import Any

from tinytorch_autograd.complex_numbers import conj
from tinytorch_autograd.errors import NoRuleError, UntrackedError
from tinytorch_autograd.modes import enable_grad
from tinytorch_autograd.node import Function, Node

_number = attrgetter("number")


def nodes_of(roots: Iterable[Node]) -> tuple[list[Function], Set[Node | None]]:
    """The recorded ops behind `roots`, the latest first, and all nodes with the leaves.

    Raises:
        GraphFreedError: a backward pass has freed one of them.
    """
    seen: set[Node | None] = {None, *roots}
    found = [node for node in seen if isinstance(node, Function)]
    for node in found:  # which grows meanwhile
        edges = node.edges
        if edges is None:
            raise node.freed()
        for edge in edges:
            if edge not in seen:
                seen.add(edge)
                if isinstance(edge, Function):
                    found.append(edge)
    found.sort(key=_number, reverse=True)
    seen.discard(None)
    return found, seen


def walk(
    seeds: Sequence[tuple[Node, Any]],
    *,
    targets: Iterable[Node] | None = None,
    allow_unused: bool = True,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Node, Any]:
    """The gradients of the leaves, or of `targets`, by node.

    Args:
        seeds: the nodes to start from, with the gradients of their outputs.
        targets: the nodes whose gradients are wanted; by default all leaves.
        allow_unused: a target may lie on no way, and is then left out.
        retain_graph: keep what the nodes saved, for another walk.
        create_graph: gradients are Tensors, and the walk itself is recorded.

    Raises:
        GraphFreedError: part of the graph was freed by an earlier walk.
        NoRuleError: the way leads through an op without a backward rule.
        UntrackedError: a target lies on no way, and that is not allowed.
    """
    order, useful = nodes_of(node for node, _ in seeds)
    wanted: set[Node] = set()
    if targets is not None:
        wanted = set(targets)
        if not allow_unused and not wanted <= useful:
            raise _unused(wanted - useful)
        order, useful = _leading_to(wanted, order)
    check_rules(order)
    if create_graph:
        with enable_grad():
            return _walk_back(seeds, order, useful, wanted, retain_graph, create_graph)
    return _walk_back(seeds, order, useful, wanted, retain_graph, create_graph)


def _walk_back(
    seeds: Iterable[tuple[Node, Any]],
    order: Iterable[Function],
    useful: Set[Node | None],
    wanted: Set[Node],
    retain_graph: bool,
    create_graph: bool,
) -> dict[Node, Any]:
    pending: dict[Node, Any] = {}
    for start, seed in seeds:
        grad = conj(seed)
        have = pending.get(start)
        pending[start] = grad if have is None else have + grad
    kept = propagate(pending, order, useful, wanted, retain_graph, create_graph)
    # What is left are the leaves, and the targets at which the way ended.
    for end, grad in pending.items():
        if end.hooks is not None:
            grad = run_hooks(end, grad)
        pending[end] = conj(grad)
    pending.update(kept)
    return pending


def propagate(
    pending: dict[Node, Any],
    order: Iterable[Function],
    useful: Set[Node | None],
    wanted: Set[Node],
    retain_graph: bool,
    create_graph: bool,
) -> dict[Node, Any]:
    """Takes the gradients in `pending` back through the nodes of `order`, the latest first.

    Args:
        pending: the gradients by node, conjugate where complex. When all is done it has those of
            the nodes that were reached and are not in `order`.
        order: the nodes to walk through.
        useful: the nodes whose gradients are of interest.
        wanted: those among `order` whose gradients are asked for.
        retain_graph, create_graph: as in `walk`.

    Returns:
        The gradients of the `wanted` nodes.
    """
    kept: dict[Node, Any] = {}
    for node in order:
        grad = pending.pop(node, None)
        if grad is None:
            continue
        if node.hooks is not None:
            grad = run_hooks(node, grad)
        if node in wanted:
            kept[node] = conj(grad)
        parts = (node.lifted() if create_graph else node).gradients(grad)
        # `strict` would cost each node 0.13 µs; a rule has as many functions as inputs, and one
        # that answers for several inputs is checked where it is called.
        for edge, part in zip(node.edges, parts):  # type: ignore[arg-type] # noqa: B905
            if part is not None and edge in useful:
                have = pending.get(edge)  # type: ignore[arg-type]
                pending[edge] = part if have is None else have + part  # type: ignore[index]
        if not retain_graph:
            node.edges = None
            node.saved = ()
    return kept


def _leading_to(
    targets: Set[Node], order: Sequence[Function]
) -> tuple[list[Function], Set[Node | None]]:
    """The nodes that must be walked to reach `targets`, and these with the targets."""
    useful: set[Node | None] = set(targets)
    walked = []
    for node in reversed(order):
        if any(edge in useful for edge in node.next_functions):
            useful.add(node)
            walked.append(node)
    return walked[::-1], useful


def run_hooks(node: Node, grad: Any) -> Any:
    """The gradient after the node's hooks, each of which may replace it."""
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


def check_rules(nodes: Iterable[Function]) -> None:
    """Raises NoRuleError if one of the nodes is of an op without a backward rule."""
    for node in nodes:
        if not node.has_rule:
            raise _no_rule(node)


def _no_rule(node: Function) -> NoRuleError:
    name, provider = node.saved
    return NoRuleError(
        f"{name}, of {provider}, was applied to a tracked tensor and has no backward rule. "
        "Give it one in tinytorch_register_backward, compute it from ops that have one, or "
        "detach() its input to treat it as a constant"
    )
