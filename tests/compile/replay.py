"""Records functions of plain arrays and builds their replays, for the tests of the passes."""

from __future__ import annotations

import numpy as np

from tinytorch_compile.backends import backend_of
from tinytorch_compile.function import function_from
from tinytorch_compile.names import Names
from tinytorch_compile.passes import simplified
from tinytorch_compile.source import Source
from tinytorch_compile.tracing import Recorder


def recorded(function, *arrays):
    """Return the program of a function of arrays that returns one array or a tuple of them."""
    recorder = Recorder()
    inputs = [recorder.input(array, f"input_{i}") for i, array in enumerate(arrays)]
    result = function(*inputs)
    results = result if isinstance(result, tuple) else (result,)
    recorder.program.outputs = [traced.value for traced in results]
    return recorder.program


def replay_of(function, *arrays, backend="numpy"):
    """Return a function that replays the calls of `function` on such arrays.

    It returns a tuple of arrays, or None if a guard failed.
    """
    chosen = backend_of(backend)
    program, _ = chosen.change(simplified(recorded(function, *arrays)))
    names = Names()
    inputs = [names.new(f"input_{i}") for i in range(len(arrays))]
    source = Source(program, {}, inputs, names, "return None")
    outputs = "".join(f"{text}, " for text in source.outputs)
    names.objects.update(chosen.link(source.blocks)[0])
    lines = [*source.lines, *source.writes, f"return ({outputs})"]
    return function_from("replay", ", ".join(inputs), lines, names.objects)


def calls_of_numpy(function, *arrays):
    """Return the names of the functions that the backend "native" leaves to NumPy."""
    _, notes = backend_of("native").change(simplified(recorded(function, *arrays)))
    return {note.partition(": ")[2] for note in notes if note.startswith("runs as NumPy")}


def assert_close(found, expected):
    """Assert that two tuples of arrays agree as the backend "native" promises."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        b = np.asarray(b)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        bound = {"f": 1e-5, "d": 1e-12}.get(b.dtype.char, 0)
        largest = np.max(np.abs(b), initial=0, where=np.isfinite(b)) if bound else 0
        np.testing.assert_allclose(a, b, rtol=bound, atol=bound * float(largest))


def assert_same_bits(found, expected):
    """Assert that two tuples of arrays are equal in dtype, shape and every bit."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
