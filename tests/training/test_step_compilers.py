"""Plugins add compilers for the steps of a Trainer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import NameTakenError, hookimpl, plugins

from tinytorch_layers import Linear
from tinytorch_losses import MSELoss
from tinytorch_training import SGD, Trainer

BATCHES = [(np.ones((2, 1), np.float32), np.ones((2, 1), np.float32))] * 3


class Compiler:
    """A plugin whose compiler notes the steps."""

    def __init__(self, name, is_in_force=None):
        self.name, self.is_in_force, self.steps = name, is_in_force, []

    def compile(self, step):
        def noted(*batches):
            self.steps.append(type(step).__name__)
            return step(*batches)

        return noted

    @hookimpl(optionalhook=True)
    def tinytorch_register_step_compilers(self, compilers):
        compilers.add(self.name, self.compile, self.is_in_force)


@pytest.fixture
def register():
    names = []

    def add(name, plugin):
        plugins.register(plugin, name=name)
        names.append(name)
        return plugin

    yield add
    for name in names:
        plugins.unregister(name)


def trainer(**options):
    model = Linear(1, 1)
    return Trainer(model, MSELoss(), SGD(model.parameters()), progress=False, **options)


def test_a_compiler_is_used_by_its_name(register):
    compiler = register("slow", Compiler("slow"))
    trainer(compile="slow").fit(BATCHES, 1)
    assert compiler.steps == ["TrainingStep"] * 3
    trainer().fit(BATCHES, 1)
    assert len(compiler.steps) == 3
    with plugins.disable("slow"), pytest.raises(ValueError, match="no backend 'slow'"):
        trainer(compile="slow")


def test_a_compiler_in_force_is_used_by_every_trainer(register):
    state = SimpleNamespace(on=False)
    compiler = register("slow", Compiler("slow", lambda: state.on))
    run = trainer()
    run.fit(BATCHES, 1)
    assert not compiler.steps
    state.on = True
    run.fit(BATCHES, 1)
    assert len(compiler.steps) == 3
    state.on = False
    run.fit(BATCHES, 1)
    assert len(compiler.steps) == 3


def test_two_plugins_with_one_name(register):
    """Only a Trainer that uses the name raises an error; which of the two is right is unknown."""
    state = SimpleNamespace(on=False)
    register("one", Compiler("slow"))
    register("two", Compiler("slow", lambda: state.on))
    other = register("three", Compiler("other"))
    with pytest.raises(NameTakenError, match=r"'slow' of steps.*'two'.*'one'.*; disable one"):
        trainer(compile="slow")
    run = trainer()
    run.fit(BATCHES, 1)
    trainer(compile="other").fit(BATCHES, 1)
    assert other.steps == ["TrainingStep"] * 3
    state.on = True
    with pytest.raises(NameTakenError, match="slow"):
        run.fit(BATCHES, 1)
    with plugins.disable("two"):
        trainer(compile="slow").fit(BATCHES, 1)


def test_a_compiler_of_a_plugin_that_is_not_active():
    with plugins.disable("xla"), pytest.raises(ValueError, match="tinytorch enable xla"):
        trainer(compile="xla")
