"""Creates a function from the text of its lines, which `inspect.getsource` shows."""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Callable, Sequence
from typing import Any

_numbers = itertools.count(1)


def function_from(
    name: str, signature: str, lines: Sequence[str], names: dict[str, Any]
) -> Callable[..., Any]:
    """Return a function with these lines and global names."""
    body = lines or ["pass"]
    text = f"def {name}({signature}):\n" + "".join(f"    {line}\n" for line in body)
    file = f"tinytorch-compile-{next(_numbers)}"
    # A copy, because executing the text adds the function itself: a reference cycle.
    namespace = dict(names)
    exec(compile(text, file, "exec"), namespace)
    function: Callable[..., Any] = namespace.pop(name)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    weakref.finalize(function, linecache.cache.pop, file, None)
    return function
