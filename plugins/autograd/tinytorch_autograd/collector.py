"""Keep Python's garbage collector from searching a large graph again and again.

While a graph grows, the collector searches all of it whenever the number of objects has grown by a
quarter, and finds nothing, because a graph has no cycles. For a million nodes that took twice as
long as the ops. So after a full collection during which a large graph was alive, its objects, and
all others that survived, are frozen: later collections skip them. Reference counting still frees
them as usual. They are unfrozen when the newest of the frozen nodes is freed, which usually means
that the graph was. A cycle among frozen objects is collected after that.

Nothing happens for small graphs, or if the program itself has frozen objects.
"""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Iterator
from itertools import chain, compress, repeat, starmap
from typing import Any

from tinytorch_autograd.node import Function
from tinytorch_autograd.writes import next_number

# A graph is large if this many nodes were created since the last full collection.
_LARGE = 10_000

_number = 0
# A weak reference to the newest node when a collection starts, and to that of the frozen nodes.
_newest: weakref.ref[Function] | None = None
_frozen: weakref.ref[Function] | None = None


def watch_collections() -> None:
    """Freeze large graphs from now on."""
    if _on_collection not in gc.callbacks:
        gc.callbacks.append(_on_collection)


def _on_collection(phase: str, info: dict[str, Any]) -> None:
    global _number, _newest, _frozen
    if info["generation"] < 2:
        return
    if phase == "start":
        before, _number = _number, next_number()
        frozen_by_others = _frozen is None and gc.get_freeze_count()
        _newest = None
        if _number - before >= _LARGE and not frozen_by_others:
            nodes = _last_young_node()
            _newest = weakref.ref(nodes[0], _unfreeze) if nodes else None
    elif _newest is not None and _newest() is not None:
        _frozen, _newest = _newest, None
        gc.freeze()


def _last_young_node() -> deque[Function]:
    """Return the newest node of the youngest generation, or nothing.

    No list of objects may exist when another thread runs: it may contain a tuple that the thread is
    building, and Python refuses to finish a tuple with another reference. So both lists are created
    and used up in one call of a C function. The second is longer by objects for the first.
    """
    # Not isinstance, which fails for a weak proxy of an object that no longer exists.
    are_nodes = map(issubclass, map(type, _young_objects()), repeat(Function))
    nodes = compress(_young_objects(), are_nodes)
    return deque(chain(nodes, filter(None, are_nodes)), maxlen=1)


def _young_objects() -> Iterator[Any]:
    return chain.from_iterable(starmap(gc.get_objects, [(0,)]))


def _unfreeze(node: weakref.ref[Function]) -> None:
    global _frozen
    if node is _frozen:
        _frozen = None
        gc.unfreeze()
