"""Threads, asyncio tasks and forks: who runs, locks, and what nothing else refers to."""

from __future__ import annotations

import os
import sys

# What `threading` is made of. Importing that takes 0.5 ms, and few programs need more of it.
from _thread import RLock, get_ident
from collections.abc import Callable
from typing import Any

_locks: list[Any] = []
# The locks that each thread has acquired for its fork.
_held: dict[int, list[Any]] = {}

# More references than a function has to an object that nothing else refers to.
_MANY = 20


def current_thread_or_task() -> object:
    """Return the asyncio task that is running, or the thread outside of tasks."""
    # Not imported here: a program without asyncio has no tasks.
    current_task = getattr(sys.modules.get("asyncio.tasks"), "current_task", None)
    if current_task is not None:
        try:
            if (task := current_task()) is not None:
                return task
        except RuntimeError:  # no event loop is running in this thread
            pass
    import threading

    return threading.current_thread()


def fork_safe_lock() -> Any:
    """Return a reentrant lock that is never held by another thread when the process forks.

    A child process has only the thread that forked. A lock that another thread held would stay
    locked there forever, and what it guards could be half changed.
    """
    lock = RLock()
    _locks.append(lock)
    return lock


def _acquire_all() -> None:
    # Threads may take the locks in any order, so waiting for one while holding another could
    # deadlock: release those taken, and try again. After ten seconds, fork without the locks: the
    # thread that holds one may be waiting for this thread.
    for _ in range(1000):
        taken = []
        for lock in _locks.copy():
            if not lock.acquire(timeout=0.01):
                break
            taken.append(lock)
        else:
            _held[get_ident()] = taken
            return
        for lock in taken:
            lock.release()


def _release_all() -> None:
    for lock in _held.pop(get_ident(), ()):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_acquire_all, after_in_parent=_release_all, after_in_child=_release_all
    )


def has_gil() -> bool:
    """Return whether one thread at a time runs Python code.

    If not, another thread can take a reference to an object between the moment when references are
    counted and the moment when the number is used.
    """
    enabled: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)  # Python 3.13
    return enabled is None or enabled()


def least_references(accepts: Callable[[int], bool]) -> int:
    """Return how many references a function counts to an object that nothing else refers to.

    `sys.getrefcount` also counts references of the function that calls it. How many depends on the
    version of Python and on the code around the call: from 3.14 on, some local variables are passed
    without a new reference. So the function itself must find out what it counts.

    Args:
        accepts: calls the function with a new object and a number of references as its limit, and
            returns whether the function has found that nothing else refers to the object.

    Returns:
        The smallest limit with which it has; -1, a limit with which every object counts as shared,
        in Python without the global interpreter lock, where the numbers may change at any time.

    >>> import sys
    >>> limit = least_references(lambda limit: sys.getrefcount([object()][0]) <= limit)
    >>> sys.getrefcount([object()][0]) <= limit
    True
    """
    return next(filter(accepts, range(_MANY)), -1) if has_gil() else -1
