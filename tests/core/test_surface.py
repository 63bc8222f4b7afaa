"""The surface has the methods, NumPy functions, keywords and words of the repr that plugins add."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins
from tinytorch_core.extend import derive

pytestmark = pytest.mark.usefixtures("each_surface")


@contextmanager
def plugin(**hooks: Callable[..., Any]) -> Iterator[None]:
    """Register a plugin with these hooks, named without their prefix, for a block."""
    marked = {f"tinytorch_{name}": hookimpl(function) for name, function in hooks.items()}
    plugins.register(SimpleNamespace(**marked), name="mine")
    try:
        yield
    finally:
        plugins.unregister("mine")


def adds_op(name: str, forward: Callable[..., Any], **options: Any) -> Any:
    return plugin(register_ops=lambda ops: ops.add(name, forward, **options))


def adds(name: str, value: Any) -> Any:
    return plugin(extend_tensor=lambda tensor: tensor.add(name, value))


def test_an_op_becomes_a_method_with_the_signature_of_its_function() -> None:
    def shifted(x: Any, by: float = 1.0, *, twice: bool = False) -> Any:
        """Return each element plus `by`."""
        return x + by * (2 if twice else 1)

    with adds_op("shifted", shifted, method=True):
        x = Tensor([1.0])
        assert repr(x.shifted()) == "Tensor([2.])"
        assert repr(x.shifted(5)) == repr(x.shifted(by=5)) == "Tensor([6.])"
        assert repr(x.shifted(twice=True)) == "Tensor([3.])"
        expected = inspect.signature(shifted)
        assert str(inspect.signature(Tensor.shifted)) == str(expected).replace("x:", "self:", 1)
        assert Tensor.shifted.__doc__ == "Return each element plus `by`."
        with pytest.raises(TypeError, match=r"shifted\(\) got an unexpected keyword"):
            x.shifted(nope=1)
    assert not hasattr(Tensor, "shifted")


def test_the_forward_receives_arrays_numbers_and_none() -> None:
    seen = []

    def look(x: Any, y: Any) -> Any:
        seen.append((type(x), type(y)))
        return x

    with adds_op("look", look, method=True):
        x = Tensor([1.0])
        for y in (x, np.ones(1), 2.0, None, [1, 2]):
            x.look(y)
        with pytest.raises(
            TypeError, match=r"look\(\) takes tensors, arrays and numbers, not str: 'a'"
        ):
            x.look("a")
    assert seen == [
        (np.ndarray, t) for t in (np.ndarray, np.ndarray, float, type(None), np.ndarray)
    ]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (np.ones(2, np.float32), "Tensor([1., 1.])"),
        (np.float32(2), "Tensor(2.)"),
        ((np.ones(1, np.float32), 3), "(Tensor([1.]), 3)"),
        ([np.float32(1)], "[Tensor(1.)]"),
        (True, "True"),
        ("word", "'word'"),
        (None, "None"),
    ],
    ids=str,
)
def test_arrays_in_the_result_of_an_op_become_tensors(result: Any, text: str) -> None:
    with adds_op("give", lambda x: result, method=True):
        assert repr(Tensor([1.0]).give()) == text


def test_a_raw_op_returns_its_result_unchanged() -> None:
    with adds_op("peek", lambda x: x, method=True, raw=True):
        x = Tensor([1.0])
        assert x.peek() is x.data


def test_a_numpy_function_runs_its_op_with_positional_and_keyword_arguments() -> None:
    calls = []

    def rolled(x: Any, shift: Any, axis: Any = None) -> Any:
        calls.append((shift, axis))
        return np.roll(x, shift, axis)

    with adds_op("rolled", rolled, inputs=("x",), numpy=np.roll):
        x = Tensor([1.0, 2.0, 3.0])
        assert repr(np.roll(x, 1)) == "Tensor([3., 1., 2.])"
        np.roll(a=x, shift=2, axis=0)
        np.roll(x, shift=1)
        assert calls == [(1, None), (2, 0), (1, None)]
        np.testing.assert_array_equal(np.roll(np.arange(3), 1), [2, 0, 1])
        assert len(calls) == 3


def test_numpy_runs_a_call_with_arguments_that_the_op_lacks() -> None:
    with adds_op("pairwise", lambda x, y: x * 0, numpy=np.hypot):
        x = Tensor([3.0])
        assert repr(np.hypot(x, 4)) == "Tensor([0.])"
        assert repr(np.hypot(x, 4, where=[True], out=Tensor([0.0]))) == "Tensor([5.])"


def test_a_variadic_op_takes_any_number_of_inputs() -> None:
    def joined(*arrays: Any, axis: int = 0) -> Any:
        return np.concatenate(arrays, axis)

    with adds_op("joined", joined, method=True):
        assert repr(Tensor([1.0]).joined([2.0], Tensor([3.0]))) == "Tensor([1., 2., 3.])"


@pytest.mark.usefixtures("each_surface")
def test_axis_and_keepdims_have_the_spellings_of_numpy_and_pytorch() -> None:
    a = np.arange(6.0).reshape(2, 3)
    x = Tensor(a)
    np.testing.assert_array_equal(x.sum(dim=0).data, a.sum(axis=0))
    np.testing.assert_array_equal(x.max(dim=1, keepdim=True).data, a.max(axis=1, keepdims=True))
    assert str(inspect.signature(Tensor.argmax)).count("dim=None")
    with pytest.raises(TypeError, match="axis and dim are two names of one argument; pass only"):
        x.sum(0, dim=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dims'"):
        x.sum(dims=0)


def test_an_error_of_the_forward_names_the_op_and_the_shapes() -> None:
    def refuse(x: Any, y: Any) -> Any:
        raise ValueError("they do not match")

    message = r"^refuse of shapes \(2,\) and \(1, 3\): they do not match$"
    with (
        adds_op("refuse", refuse, method=True),
        pytest.raises(ValueError, match=message),
    ):
        Tensor([1.0, 2.0]).refuse(np.zeros((1, 3)))


def test_a_plugin_adds_methods_properties_and_attributes() -> None:
    with adds("norm", lambda self: (self * self).sum().sqrt()):
        assert repr(Tensor([3.0, 4.0]).norm()) == "Tensor(5.)"
    with adds("rank", property(lambda self: self.ndim)):
        assert Tensor([[1.0]]).rank == 2
    before = Tensor([1.0])
    with adds("unit", "m"):
        assert before.unit == Tensor.unit == "m"
        before.unit = "s"
        assert before.unit == "s"
        assert Tensor([1.0]).unit == "m"
    assert not hasattr(Tensor, "unit")


@contextmanager
def naming_plugin() -> Iterator[None]:
    """Register a plugin that adds a name: an attribute, a keyword and a word of the repr."""

    def extend(tensor: Any) -> None:
        tensor.add("name", None)
        tensor.add_keyword("name", lambda t, name: setattr(t, "name", name), lambda t: t.name, None)
        tensor.add_repr(lambda t: f"name={t.name!r}" if t.name else None)

    with plugin(extend_tensor=extend):
        yield


def test_a_plugin_adds_a_keyword_and_a_word_of_the_repr() -> None:
    with naming_plugin():
        x = Tensor([1.0], name="x")
        assert x.name == "x"
        assert repr(x) == "Tensor([1.], name='x')"
        assert repr(Tensor(np.ones(1), name="y")) == "Tensor([1.], dtype=float64, name='y')"
        assert repr(Tensor([1.0])) == "Tensor([1.])"
    assert repr(x) == "Tensor([1.])"
    with pytest.raises(TypeError, match="no keyword 'name'"):
        Tensor([1.0], name="x")


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_keywords_survive_copies(duplicate: Any) -> None:
    with naming_plugin():
        assert duplicate(Tensor([1.0], name="x")).name == "x"
        assert "name" not in vars(duplicate(Tensor([1.0])))


def test_getsource_shows_the_code_of_an_op() -> None:
    assert "def mul(self, y):" in inspect.getsource(Tensor.__mul__)


def test_the_same_plugins_give_the_same_surface() -> None:
    with adds("norm", 1):
        first = Tensor.__bases__
        with plugins.disable("mine"):
            assert Tensor.__bases__ != first
        assert Tensor.__bases__ == first


FORMS = {
    "copy": lambda x: Tensor(x),
    "like": lambda x: derive(x, x.data, "like"),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_attribute_keeps_its_value_in_the_forms_it_names(form: str) -> None:
    def extend(tensor: Any) -> None:
        tensor.add("unit", "m", keep_in=[form])
        tensor.add("kept_nowhere", 0)

    with plugin(extend_tensor=extend):
        x = Tensor([1.0, 2.0])
        assert vars(FORMS[form](x)) == {}
        x.unit, x.kept_nowhere, x.no_plugin = "s", 1, 2
        for name, made in FORMS.items():
            assert made(x).unit == ("s" if name == form else "m")
            assert made(x).kept_nowhere == 0
            assert not hasattr(made(x), "no_plugin")
    assert vars(FORMS[form](x)) == {}


def test_an_unknown_form_is_an_error_that_lists_the_forms() -> None:
    with pytest.raises(PluginError, match=r"keep_in of Tensor.unit contains 'lik'.*copy, like"):
        plugins.register(
            SimpleNamespace(
                tinytorch_extend_tensor=hookimpl(
                    lambda tensor: tensor.add("unit", None, keep_in=["lik"])
                )
            ),
            name="units",
        )
    assert not hasattr(Tensor, "unit")
