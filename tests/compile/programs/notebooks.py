"""Programs with ops of a plugin that was registered while they run, as in a notebook."""

import textwrap
import types

import numpy as np

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_layers import Parameter

from .table import ONES, calls, program


def notebook(**namespace):
    """Return a plugin with the op `stretched`, and the global names of its functions."""
    namespace = {"np": np, "hookimpl": hookimpl, "__name__": "__main__", **namespace}
    exec(
        textwrap.dedent(
            """
            def stretched(x, by=1.0):
                return x * factor * by

            @hookimpl
            def tinytorch_register_ops(ops):
                ops.add("stretched", stretched, method=True)

            @hookimpl(optionalhook=True)
            def tinytorch_register_backward(rules):
                rules.add("stretched", lambda grad, by: grad * factor * by * slope)
            """
        ),
        namespace,
    )
    hooks = {key: value for key, value in namespace.items() if key.startswith("tinytorch_")}
    return types.SimpleNamespace(**hooks), namespace


def stretching(compile, change):
    plugin, namespace = notebook(factor=2.0, slope=1.0)
    plugins.register(plugin, name="stretching")
    try:
        w = Parameter([1.0, 2.0])

        def step(x):
            w.grad = None
            loss = (w * x).stretched(by=1.5).sum()
            loss.backward()
            w.data -= 0.1 * w.grad
            return loss

        step = compile(step)
        found = [*calls(step, x=Tensor(ONES)), w.grad.copy()]
        change(namespace)
        return [*found, *calls(step, x=Tensor(ONES)), w.grad, w]
    finally:
        plugins.unregister("stretching")


@program
def an_op_of_a_notebook(compile):
    return stretching(compile, lambda namespace: None)


@program
def a_global_name_of_an_op_of_a_notebook(compile):
    return stretching(compile, lambda namespace: namespace.update(factor=3.0))


@program
def a_global_name_of_a_rule_of_a_notebook(compile):
    return stretching(compile, lambda namespace: namespace.update(slope=3.0))


@program
def an_op_that_is_registered_again(compile):
    def change(namespace):
        plugins.unregister("stretching")
        plugins.register(notebook(factor=5.0, slope=5.0)[0], name="stretching")

    return stretching(compile, change)
