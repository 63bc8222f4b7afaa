"""Whether anything else refers to an object, which the number of references to it tells."""

from __future__ import annotations

import sys
from collections.abc import Callable

# More references than a function has to an object that nothing else refers to.
_MANY = 20


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
