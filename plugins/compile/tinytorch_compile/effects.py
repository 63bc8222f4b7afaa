"""Effects of a step outside of its state, which a replay would not have: they end a capture."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinytorch_compile.errors import CaptureError, UnfinishedError

_OWN = os.path.join(os.path.dirname(__file__), "")

Refuse = Callable[[str], CaptureError]


@contextlib.contextmanager
def refused(refuse: Refuse, is_capturing: Callable[[], bool]) -> Iterator[None]:
    """Make it an error to print, log, warn, or draw from a global random generator.

    Args:
        refuse: returns the error for a reason; it names the line.
        is_capturing: whether this thread captures. Other threads may print.
    """
    with contextlib.ExitStack() as stack:
        for redirect, stream in (
            (contextlib.redirect_stdout, sys.stdout),
            (contextlib.redirect_stderr, sys.stderr),
        ):
            target: Any = _Stream(stream, refuse, is_capturing)
            stack.enter_context(redirect(target))
        stack.enter_context(_logging(refuse, is_capturing))
        stack.enter_context(_warnings(refuse, is_capturing))
        stack.enter_context(_global_generators())
        yield


class _Stream:
    """A stream of text that refuses text from the thread that captures."""

    def __init__(self, stream: Any, refuse: Refuse, is_capturing: Callable[[], bool]) -> None:
        self._stream, self._refuse, self._is_capturing = stream, refuse, is_capturing

    def write(self, text: str) -> int:
        if self._is_capturing():
            raise self._refuse("prints, which a replay would not do")
        return int(self._stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _logging(refuse: Refuse, is_capturing: Callable[[], bool]) -> Iterator[None]:
    logging = sys.modules.get("logging")
    if logging is None:
        yield
        if "logging" in sys.modules:  # it may have been used
            raise UnfinishedError("the step imports logging")
        return
    create = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> Any:
        if is_capturing():
            raise refuse("writes to a log, which a replay would not do")
        return create(*args, **kwargs)

    logging.setLogRecordFactory(record)
    try:
        yield
    finally:
        logging.setLogRecordFactory(create)


@contextlib.contextmanager
def _warnings(refuse: Refuse, is_capturing: Callable[[], bool]) -> Iterator[None]:
    show = warnings.showwarning

    def refuse_or_show(
        message: Any, category: Any, filename: str, lineno: int, *args: Any, **kwargs: Any
    ) -> None:
        if not is_capturing():
            show(message, category, filename, lineno, *args, **kwargs)
        elif not filename.startswith(_OWN):  # NumPy warns again when its calls are replayed
            raise refuse(f"warns ({category.__name__}), which a replay would not do")

    warnings.showwarning = refuse_or_show
    try:
        yield
    finally:
        warnings.showwarning = show


@contextlib.contextmanager
def _global_generators() -> Iterator[None]:
    """Restore the global random generators, and raise CaptureError if they were used."""
    before = _states()
    try:
        yield
    finally:
        used = not _equal(before, _states())
        if used:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])
    if used:
        raise CaptureError(
            "the step draws from the global generator of np.random or random; use a "
            "np.random.Generator that the step can reach"
        )


def _states() -> tuple[Any, Any]:
    return np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002


def _equal(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    x, y = a[0]["state"], b[0]["state"]
    same = x["pos"] == y["pos"] and np.array_equal(x["key"], y["key"])
    return bool(same and a[0]["has_gauss"] == b[0]["has_gauss"] and a[1] == b[1])


def check_caches(caches: Iterable[Any], before: Iterable[Any]) -> None:
    """Raise CaptureError if the step used a function that remembers its results.

    Args:
        caches: the functions, of `functools.lru_cache`.
        before: what their `cache_info` was before the step.
    """
    used = []
    for cache, info in zip(caches, before, strict=True):
        now = cache.cache_info()
        if now.misses != info.misses:
            cache.cache_clear()  # what it remembers now belongs to the capture
        if now != info:
            used.append(cache.__name__)
    if used:
        raise CaptureError(
            f"the step calls {used[0]}, which remembers its results, so a replay would not notice "
            "that they change; call it outside of the step"
        )
