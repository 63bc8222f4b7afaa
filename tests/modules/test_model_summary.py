"""The summary of a model."""

import re

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_layers import BatchNorm1d, Dropout, Linear, Module, Sequential, summary


class Twice(Module):
    """Calls one layer twice and another never."""

    def __init__(self):
        self.blocks = [Linear(3, 3, generator=0), Linear(3, 5)]
        self.norm = BatchNorm1d(3)

    def forward(self, x):
        first = self.blocks[0]
        return first(self.norm(first(x))), x


def test_rows_have_shapes_parameters_memory_and_calls():
    found = summary(Twice(), (4, 3))
    rows = [(r.name, r.kind, r.output, r.parameters, r.bytes, r.calls) for r in found.rows]
    assert rows == [
        ("", "Twice", ((4, 3), (4, 3)), 0, 96, 1),
        ("blocks.0", "Linear", (4, 3), 12, 96, 2),
        ("blocks.1", "Linear", None, 20, 0, 0),
        ("norm", "BatchNorm1d", (4, 3), 6, 48, 1),
    ]
    assert (found.parameters, found.trainable) == (38, 38)
    assert found.parameter_bytes == 38 * 4 + 2 * 3 * 4 + 8
    assert found.output_bytes == 96 + 48
    lines = str(found).splitlines()
    assert lines[3].split() == ["(blocks.0)", "Linear", "(4,", "3),", "2", "calls", "12", "96", "B"]
    assert "not called" in lines[4]


def test_the_state_of_the_model_is_unchanged():
    model = Sequential(Linear(3, 3), BatchNorm1d(3), Dropout(0.5, generator=0))
    model[1].eval()
    before = model.state_dict()
    draws = model[2].generator.bit_generator.state
    summary(model, Tensor(np.ones((2, 3))))
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert model[2].generator.bit_generator.state == draws
    assert model.registered_hooks is None
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_restored_after_an_error():
    model = Sequential(Linear(3, 3))
    with pytest.raises(ValueError, match="expects an input of shape"):
        summary(model, (2, 4))
    assert model.training
    assert model[0].registered_hooks is None


def test_frozen_parameters_are_not_trainable():
    model = Sequential(Linear(2, 2), Linear(2, 1))
    model[0].requires_grad_(False)
    assert "9 (3 trainable, 6 fixed)" in str(summary(model, (1, 2)))
    with plugins.disable("autograd"):
        assert summary(model, (1, 2)).parameters == 9


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"needs the inputs of the model, or their shapes"):
        summary(Linear(1, 1))
    with pytest.raises(TypeError, match="takes a Module, not int"):
        summary(3, (1, 1))


def test_notebooks_get_a_table_with_escaped_text():
    kind = type("Less<1>", (Module,), {"forward": lambda self, x: x})
    found = summary(kind(), (1,))._repr_html_()
    assert found.count("<tr>") == 2
    assert "Less&lt;1&gt;" in found
    # Names are on the left, with the indentation of the children, and numbers on the right.
    found = summary(Sequential(Linear(1, 1)), (1, 1))._repr_html_()
    assert re.search(r'left; white-space: pre; [^>]*">  \(0\) Linear</td>', found)
    assert re.search(r'right; [^>]*">2</td>', found)
