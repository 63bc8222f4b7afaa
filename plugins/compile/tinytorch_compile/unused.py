"""Finds the functions that a step can reach, but does not call: their code needs no guards.

What the step does depends on nothing but its state. While the rest of the state is the same, it
does not call these functions either.
"""

from __future__ import annotations

import _thread
import inspect
import sys
from types import CodeType, FunctionType
from typing import Any

from tinytorch_compile.slots import State, is_library

# With fewer functions, noting calls takes more time than it saves.
_FEWEST = 8
# Names in code that may read the code or the defaults of a function without calling it.
_READERS = frozenset({"__code__", "__defaults__", "__kwdefaults__"})
# Further ones in the user's code.
_MORE_READERS = frozenset({"__getattribute__", "attrgetter", "getattr", "methodcaller"})
_INSPECT = inspect.signature.__code__.co_filename


class Calls:
    """A context that notes the code that runs in it.

    Args:
        state: the state of a step, some of whose boxes are functions.
        is_wanted: whether to note anything.
    """

    def __init__(self, state: State, is_wanted: bool) -> None:
        things = [box.thing for box in state.boxes]
        self._functions = [thing for thing in things if isinstance(thing, FunctionType)]
        # The code that ran, with its global names.
        self._codes: dict[CodeType, dict[str, Any]] = {}
        # Whether nothing can call a function without being noted.
        self._is_complete = (
            is_wanted
            and len(self._functions) >= _FEWEST
            and not state.has_getters
            and sys.getprofile() is None
            and _is_only_thread()
        )

    def __enter__(self) -> Calls:
        self._is_on = self._is_complete
        if self._is_on:
            sys.setprofile(self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        if not self._is_on:
            return
        if sys.getprofile() == self._note:
            sys.setprofile(None)
        else:
            self._is_complete = False
        self._is_complete &= _is_only_thread()

    def _note(self, frame: Any, event: str, function: Any) -> None:
        if event == "call":
            if frame.f_code not in self._codes and not _is_for_tinytorch(frame):
                self._codes[frame.f_code] = frame.f_globals
        elif function is _thread.start_new_thread:
            self._is_complete = False

    def unused(self) -> set[int]:
        """Return the ids of the functions that were not called, as far as this is certain."""
        if not self._is_complete or any(map(_may_read, self._codes, self._codes.values())):
            return set()
        return {id(thing) for thing in self._functions if thing.__code__ not in self._codes}


def _may_read(code: CodeType, space: dict[str, Any]) -> bool:
    """Return whether code that ran may have read what is in a function without calling it."""
    module = space.get("__name__", "__main__")
    if module.startswith("tinytorch_") or code.co_filename.startswith("tinytorch-"):
        return False  # it reads its own functions, or calls `inspect`
    names = code.co_names
    if not _READERS.isdisjoint(names) or code.co_filename == _INSPECT:
        return True
    return not is_library(module) and not _MORE_READERS.isdisjoint(names)


def _is_for_tinytorch(frame: Any) -> bool:
    """Return whether a function of `inspect` reads what a generated function of an op needs."""
    if frame.f_code.co_filename != _INSPECT:
        return False
    caller = frame.f_back.f_globals.get("__name__", "")
    return bool(caller == inspect.__name__ or caller.startswith("tinytorch_"))


def _is_only_thread() -> bool:
    return len(sys._current_frames()) == 1
