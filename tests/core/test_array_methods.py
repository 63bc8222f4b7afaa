"""Tensor has methods of arrays, with the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, array_methods

pytestmark = pytest.mark.usefixtures("each_surface")

MATRIX = np.array([[1.5, -2.0, 0.0], [0.0, 3.5, 4.0]])
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("all", (), {}),
    ("all", (1,), {}),
    ("any", (), {"axis": 0, "keepdims": True}),
    ("argsort", (), {}),
    ("argsort", (0,), {}),
    ("cumprod", (), {}),
    ("cumprod", (1,), {}),
    ("cumsum", (), {"axis": 0}),
    ("cumsum", (), {}),
    ("diagonal", (), {}),
    ("diagonal", (1,), {}),
    ("dot", (np.ones((3, 2)),), {}),
    ("flatten", (), {}),
    ("nonzero", (), {}),
    ("ravel", (), {}),
    ("repeat", (2,), {}),
    ("repeat", ([1, 2],), {"axis": 0}),
    ("round", (), {}),
    ("round", (1,), {}),
    ("squeeze", (), {}),
    ("swapaxes", (0, 1), {}),
    ("take", ([0, 5],), {}),
    ("take", ([1, 1],), {"axis": 1}),
    ("trace", (), {}),
    ("trace", (1,), {}),
]


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_a_method_returns_what_the_method_of_the_array_returns(
    name: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    found = getattr(Tensor(MATRIX), name)(*args, **options)
    expected = getattr(MATRIX, name)(*args, **options)
    pairs = zip(found, expected, strict=True) if name == "nonzero" else [(found, expected)]
    for f, e in pairs:
        assert isinstance(f, Tensor)
        assert f.dtype == e.dtype
        np.testing.assert_array_equal(f.data, e)


def test_every_method_is_tested() -> None:
    methods = {n for n in vars(array_methods.ArrayMethods) if not n.startswith("_")}
    assert methods == {name for name, _, _ in CALLS}


def test_methods_do_not_change_the_tensor() -> None:
    x = Tensor(MATRIX)
    for name, args, options in CALLS:
        getattr(x, name)(*args, **options)
    np.testing.assert_array_equal(x.data, MATRIX)
