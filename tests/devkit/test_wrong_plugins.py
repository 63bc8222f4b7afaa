"""Each check catches a plugin with the mistake it looks for, and states the remedy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl
from tinytorch_core.hook_manager import manager

from tinytorch_devkit import table_of_checks

from .subtle import SUBTLE
from .wrong import Wrong, plugin


def _needs_a_method(x, y):
    return x + y.copy()


def _of_one_shape(x, y):
    return x + np.resize(y, x.shape)


def _assigning(x):
    y = x * 2
    y[y < 0] = 0
    return y


def _in_place(x):
    x *= 2
    return x


def _adding_without_a_result(x, y):
    x += y


def _calling_a_hook(x):
    manager.hook.tinytorch_configure(config={})
    return x * 2


def _scaled(x, by=1.0):
    """Scaled by a number."""
    return x * float(by)


def _wrong_where(condition):
    return plugin(lambda x: x + 1 if condition(x) else x, lambda x: x)


def _through_float32(x):
    return x.astype(np.float32).astype(x.dtype)


def _range(x, dim=None):
    return x.max(axis=dim) - x.min(axis=dim)


def _is_strided(x):
    return not (x.flags.c_contiguous or x.flags.f_contiguous) and x.strides[-1] > 0


def tinytorch_imitated():
    """A function with the name of a hook."""


def _calling_directly(x):
    tinytorch_imitated()
    return x * 2


def _undescribed(ops: Any) -> None:
    ops.add("wrong", lambda x: x)
    ops.add("other", lambda x: x)


def tinytorch_configure(config: Any) -> None:
    """Change how arrays are printed, at each call."""
    np.set_printoptions(precision=np.get_printoptions()["precision"] + 1)


class Doubles:
    """Changes multiplication."""

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any) -> Any:
        return (lambda x, y: call(call(x, y), 2)) if op.name == "mul" else None


class Doubled:
    """Returns results in float64."""

    @hookimpl
    def tinytorch_wrap_op(self, op: Any, call: Any) -> Any:
        if op.name != "add":
            return None
        return lambda x, y: Tensor(call(x, y).data.astype(np.float64))


class Unique:
    """Can be pickled but not copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("there is only one")


def twice(x):
    return x * 2


def twice_and_more(x, offset=0):
    """Twice the input, and more."""
    return x * 2 + offset


def _ignoring_arrays() -> Any:
    """Ignores an array that is combined with a Tensor."""

    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        def checked(x: Any, y: Any) -> Any:
            return call(x, y) if not isinstance(y, np.ndarray) else call(x, 0)

        return checked if op.name == "wrong" else None

    result = plugin(lambda x, y: x + y)
    result.tinytorch_wrap_op = tinytorch_wrap_op
    return result


def _with_attribute(value: Any) -> Any:
    """Sets an attribute on each result that cannot be pickled."""

    @hookimpl
    def tinytorch_wrap_op(op: Any, call: Any) -> Any:
        def labelled(*args: Any, **kwargs: Any) -> Any:
            out = call(*args, **kwargs)
            out.label = value
            return out

        return labelled if op.name == "wrong" else None

    result = plugin(twice)
    result.tinytorch_wrap_op = tinytorch_wrap_op
    return result


WRONG = [
    Wrong(
        "agrees_with_reference",
        plugin(lambda x: x * 2.001, lambda x: x * 2),
        "at [0, 0] in wrong(<float64 of shape (2, 3)>)",
        "",
        "correct the forward function, or the reference",
    ),
    Wrong(
        "agrees_with_reference",
        plugin(lambda x: x[None], lambda x: x),
        "the shape (2, 3)",
        "the shape (1, 2, 3)",
        "correct the forward function, or the reference",
    ),
    Wrong(
        "agrees_with_reference",
        plugin(lambda x: str(x.shape), lambda x: x),
        "a Tensor from wrong(<float64 of shape (2, 3)>)",
        "str: '(2, 3)'",
        "return an array from the forward function",
    ),
    Wrong(
        "works_under_every_name",
        plugin(lambda x: x * 2, op={"method": "twice"}, function=lambda x: x * 3),
        "compared with wrong",
        "",
        "compute the same under each name",
    ),
    Wrong(
        "works_under_every_name",
        plugin(_range, op={"numpy": np.ptp}, shapes=[(2, 3)], parameters=[{"dim": 0}]),
        "no error",
        "unexpected keyword argument 'dim'",
        "its reference must accept all inputs",
    ),
    Wrong(
        "agrees_with_numpy",
        plugin(lambda x: x / 2, op={"numpy": np.spacing}),
        "compared with np.spacing on arrays",
        "",
        "remove the NumPy function from numpy=",
    ),
    Wrong(
        "serves_arrays",
        plugin(lambda x: x, function=lambda x: Tensor(x)),
        "an array from wrong",
        "the Tensor <float64 of shape (2, 3)>",
        "do not create Tensors in the function",
    ),
    Wrong(
        "takes_any_array",
        plugin(_assigning),
        "wrong(<float64 of shape (2, 3)>) to work on arrays of other libraries",
        "setitem(): arrays of other libraries may not be writable; compute a new array, in ",
        "write functional NumPy: no item assignment",
    ),
    Wrong(
        "takes_any_array",
        plugin(lambda x: np.ones(x.shape)),
        "an array of the library from wrong(<float64 of shape (2, 3)>)",
        "ndarray",
        "write functional NumPy",
    ),
    Wrong(
        "takes_any_array",
        plugin(_adding_without_a_result, lambda x, y: x + y, op={"in_place": True}),
        "on arrays of another library",
        "",
        "use the result of `x += y`, which may be another array",
    ),
    Wrong(
        "keeps_dtypes",
        plugin(lambda x: x * np.float64(2)),
        "float32 from wrong(<float32 of shape (2, 3)>)",
        "float64",
        "math.sqrt(2) instead of np.sqrt(2)",
    ),
    Wrong(
        "keeps_dtypes",
        plugin(lambda x: (x + 1e6) - 1e6, lambda x: x),
        "",
        "",
        "compute at the full precision of float32",
    ),
    Wrong(
        "keeps_dtypes",
        plugin(_through_float32, lambda x: x),
        "",
        "",
        "compute at the full precision of float64",
    ),
    Wrong(
        "broadcasts",
        plugin(_of_one_shape, lambda x, y: x + y),
        "in wrong(<float64 of shape (",
        "",
        "leave broadcasting to NumPy",
    ),
    Wrong(
        "takes_numbers_and_arrays",
        plugin(_needs_a_method, lambda x, y: x + y),
        "no error",
        "AttributeError: 'float' object has no attribute 'copy'",
        "its reference must accept all inputs",
    ),
    Wrong(
        "takes_numbers_and_arrays",
        _ignoring_arrays(),
        "in wrong(<float64 of shape (3,)>, <float64 of shape (3,)>)",
        "",
        "use NumPy functions",
    ),
    Wrong(
        "takes_any_memory_layout",
        plugin(lambda x: x.ravel(order="K").reshape(x.shape)),
        "with its arrays in Fortran order",
        "",
        "do not rely on the order in memory",
    ),
    Wrong(
        "takes_any_memory_layout",
        _wrong_where(_is_strided),
        "with its arrays with strides",
        "",
        "do not rely on the order in memory",
    ),
    Wrong(
        "takes_any_memory_layout",
        _wrong_where(lambda x: x.ndim and x.strides[-1] < 0),
        "with its arrays reversed",
        "",
        "do not rely on the order in memory",
    ),
    Wrong(
        "takes_any_memory_layout",
        _wrong_where(lambda x: not x.flags.writeable),
        "with its arrays read-only",
        "",
        "do not write to an input",
    ),
    Wrong(
        "takes_empty_inputs",
        plugin(lambda x: x - x.max()),
        "no error",
        "zero-size array to reduction operation maximum",
        "its reference must accept all inputs",
    ),
    Wrong(
        "takes_empty_inputs",
        plugin(lambda x: x if x.size else np.zeros((1,))),
        "the shape (0,)",
        "the shape (1,)",
        "test `x.size`",
    ),
    Wrong(
        "takes_zero_d_inputs",
        plugin(_assigning),
        "no error",
        "does not support item assignment",
        "its reference must accept all inputs",
    ),
    Wrong(
        "takes_zero_d_inputs",
        plugin(lambda x: x if x.ndim else x[None]),
        "the shape ()",
        "the shape (1,)",
        "instead of x[x > 0] = ... use np.where",
    ),
    Wrong(
        "leaves_inputs_alone",
        plugin(_in_place, shapes=[(3,)]),
        "input 0 of wrong(<float64 of shape (3,)>) to stay",
        "[",
        "create a new array: y = x * 2 instead of x *= 2",
    ),
    Wrong(
        "refuses_bad_inputs",
        plugin(_scaled, describe=lambda s: s.refuse("wrong", ValueError, "by", by=-1)),
        "ValueError from wrong(<float64 of shape (2, 3)>, by=-1)",
        "the result <float64 of shape",
        "check the argument, and raise ValueError",
    ),
    Wrong(
        "refuses_bad_inputs",
        plugin(_scaled, describe=lambda s: s.refuse("wrong", TypeError, "by", by=[])),
        "a message that contains 'by'",
        "float() argument must be",
        "state in the message what is wrong",
    ),
    Wrong(
        "refuses_bad_inputs",
        plugin(_scaled, describe=lambda s: s.refuse("wrong", TypeError, "by", by="much")),
        "TypeError from wrong",
        "could not convert string to float: 'much'",
        "raise TypeError",
    ),
    Wrong(
        "refuses_bad_inputs",
        plugin(twice, function=lambda x: "twice"),
        "TypeError or ValueError from wrong('text')",
        "the result 'twice'",
        "check the argument",
    ),
    Wrong(
        "refuses_bad_inputs",
        plugin(lambda x, y: x + np.resize(y, x.shape)),
        "ValueError from wrong(<float64 of shape (2,)>, <float64 of shape (3,)>)",
        "the result <float64 of shape",
        "check the argument",
    ),
    Wrong(
        "can_be_pickled",
        _with_attribute(lambda: "mine"),
        "pickle of wrong",
        "lambda",
        "set only attributes that can be pickled",
    ),
    Wrong(
        "can_be_pickled",
        _with_attribute(Unique()),
        "copy.deepcopy of wrong",
        "TypeError: there is only one",
        "set only attributes that can be pickled",
    ),
    Wrong(
        "can_be_pickled",
        plugin(twice, function=lambda x: x),
        "pickle of <lambda>",
        "lambda",
        "define functions at the top level of a module",
    ),
    Wrong(
        "calls_no_hook",
        plugin(_calling_a_hook),
        "no hook to be called by wrong",
        "pluggy's __call__",
        "call hooks only when plugins change",
    ),
    Wrong(
        "calls_no_hook",
        plugin(_calling_directly),
        "no hook to be called by wrong",
        "tinytorch_imitated in ",
        "call hooks only when plugins change",
    ),
    Wrong(
        "is_documented",
        plugin(twice, op={"doc": ""}),
        "a docstring of wrong",
        "none",
        "pass doc= to ops.add",
    ),
    Wrong(
        "is_documented",
        plugin(lambda x, factor=2: x * factor),
        "the docstring of wrong to name its parameter 'factor'",
        "'A wrong op.'",
        "explain the parameter under Args:",
    ),
    Wrong(
        "is_documented",
        plugin(twice, function=twice_and_more),
        "the docstring of wrong to name its parameter 'offset'",
        "'Twice the input, and more.'",
        "explain the parameter under Args:",
    ),
    Wrong(
        "describes_every_op",
        SimpleNamespace(tinytorch_register_ops=hookimpl(_undescribed)),
        "a description of each of its 2 ops",
        "no description of wrong, other",
        "samples.add('wrong', ...)",
    ),
    Wrong(
        "leaves_nothing_behind",
        SimpleNamespace(tinytorch_configure=hookimpl(tinytorch_configure)),
        "np.get_printoptions() to be the same after the plugin was on",
        "another value",
        "do not assign to Tensor or to NumPy",
    ),
    Wrong(
        "leaves_other_ops_alone",
        Doubles(),
        "in 2 * x, as without the plugin",
        "",
        "return what `call` returns",
    ),
    Wrong(
        "leaves_other_ops_alone",
        Doubled(),
        "float32 in x + 1, as without the plugin",
        "float64",
        "return what `call` returns",
    ),
]


@pytest.fixture(autouse=True)
def _restore():
    """Undo what the wrong plugins leave behind."""
    with np.printoptions():
        yield
    if "leftover" in vars(Tensor):
        del Tensor.leftover


@pytest.mark.parametrize("wrong", [*WRONG, *SUBTLE], ids=repr)
def test_the_check_catches_the_plugin_and_states_the_remedy(wrong: Wrong) -> None:
    failure = wrong.failure()
    assert wrong.expected in failure.expected
    assert wrong.found in failure.found
    assert wrong.remedy in failure.remedy
    lines = str(failure).splitlines()
    assert lines[0].endswith(f" fails {wrong.check}")
    assert [line[:12] for line in lines[1:]] == ["  expected: ", "  found:    ", "  to fix:   "]


def test_every_check_of_the_devkit_has_a_wrong_plugin() -> None:
    elsewhere = {"works_alone"}  # in test_check.py, because it needs installed plugins
    own = {check.name for check in table_of_checks() if check.provider is None}
    assert own <= {wrong.check for wrong in [*WRONG, *SUBTLE]} | elsewhere
