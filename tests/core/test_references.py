"""The number of references that tells whether anything else refers to an object."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tinytorch_core.extend import has_gil, least_references


def variable(make: Callable[[], Any]) -> int:
    thing = make()
    return sys.getrefcount(thing)


def two_variables(make: Callable[[], Any]) -> int:
    first = second = make()
    assert first is second
    return sys.getrefcount(first)


def in_a_loop_after_an_error(make: Callable[[], Any]) -> int:
    # With such code, Python 3.14 passes the variable with a new reference.
    try:
        things = [make()]
    except ZeroDivisionError:
        return 0
    for thing in things:
        return sys.getrefcount(thing)
    return 0


def item(make: Callable[[], Any]) -> int:
    return sys.getrefcount([make()][0])


@pytest.mark.parametrize("count", [variable, two_variables, in_a_loop_after_an_error, item])
def test_a_new_object_is_accepted_and_one_that_something_refers_to_is_not(count: Any) -> None:
    limit = least_references(lambda limit: count(object) <= limit)
    shared = object()
    holder = [shared]
    assert count(object) == limit
    assert count(lambda: holder[0]) > limit


def test_without_the_gil_no_limit_accepts_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert not has_gil()
    assert least_references(lambda limit: True) == -1
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True)
    assert has_gil()
    assert least_references(lambda limit: limit == 3) == 3


def test_a_function_that_accepts_nothing_has_no_limit() -> None:
    assert least_references(lambda limit: False) == -1
