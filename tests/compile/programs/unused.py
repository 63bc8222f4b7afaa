"""Programs that can reach many functions, of which a few are called, in ways that are hard to see.

After some calls, a default value of one of them changes.
"""

import inspect
import operator
import threading

import numpy as np

from .table import calls, program


class Tools:
    """Functions, of which most programs call none but `scaled`."""

    factor = 2.0

    def first(self, x):
        return x + 1

    def second(self, x):
        return self.first(x) + 2

    def third(self, x):
        return self.second(x) + 3

    def fourth(self, x):
        return self.third(x) + 4

    def fifth(self, x):
        return self.fourth(x) + 5

    def sixth(self, x):
        return self.fifth(x) + 6

    def seventh(self, x):
        return self.sixth(x) + 7

    def eighth(self, x):
        return self.seventh(x) + 8


def observed(compile, step, change=None, prepare=None):
    """Return what is observed if the default value of `Tools.scaled` changes between calls."""

    def scaled(self, x, factor=2.0):
        return x * factor

    def replace_the_default():
        Tools.scaled.__defaults__ = (3.0,)

    Tools.scaled = scaled
    tools = Tools()
    if prepare is not None:
        prepare(tools)
    return calls(compile(lambda x: step(tools, x)), change or replace_the_default)


@program
def a_method_that_is_called(compile):
    return observed(compile, lambda tools, x: tools.scaled(x))


@program
def a_method_that_is_not_called(compile):
    return observed(compile, lambda tools, x: tools.first(x))


@program
def a_method_that_numpy_calls(compile):
    return observed(compile, lambda tools, x: x * np.vectorize(tools.scaled)(1.0).item())


@program
def a_method_that_sorting_calls(compile):
    return observed(compile, lambda tools, x: x * sorted([-3.0, -2.0, 1.0], key=tools.scaled)[0])


@program
def a_method_that_is_called_by_name(compile):
    return observed(compile, lambda tools, x: operator.methodcaller("scaled", x)(tools))


@program
def a_default_of_a_method_that_is_read(compile):
    return observed(compile, lambda tools, x: x * Tools.scaled.__defaults__[0])


@program
def a_default_of_a_method_that_is_read_by_name(compile):
    name = "__defaults__"
    return observed(compile, lambda tools, x: x * getattr(Tools.scaled, name)[0])


@program
def a_default_of_a_method_that_a_getter_reads(compile):
    getter = operator.attrgetter("__defaults__")
    return observed(compile, lambda tools, x: x * getter(Tools.scaled)[0])


@program
def the_signature_of_a_method(compile):
    def step(tools, x):
        return x * inspect.signature(Tools.scaled).parameters["factor"].default

    return observed(compile, step)


@program
def a_method_that_another_thread_calls(compile):
    def step(tools, x):
        found = []
        thread = threading.Thread(target=lambda: found.append(tools.scaled(1.0)))
        thread.start()
        thread.join()
        return x * found[0]

    return observed(compile, step)


@program
def a_method_that_is_called_for_another_value_of_the_state(compile):
    def step(tools, x):
        return tools.scaled(x) if tools.factor > 2 else tools.first(x)

    def change():
        Tools.scaled.__defaults__ = (3.0,)
        Tools.factor = 3.0

    try:
        return observed(compile, step, change)
    finally:
        Tools.factor = 2.0


@program
def a_method_that_becomes_another_one(compile):
    def change():
        Tools.first = lambda self, x: x * 5

    first = Tools.first
    try:
        return observed(compile, lambda tools, x: tools.eighth(x), change)
    finally:
        Tools.first = first


@program
def a_method_that_a_weak_reference_calls(compile):
    class Resource:
        def __init__(self, tools, found):
            self.tools, self.found = tools, found

        def __del__(self):
            self.found.append(self.tools.scaled(1.0))

    def step(tools, x):
        found = []
        Resource(tools, found)
        return x * found[0]

    return observed(compile, step)


@program
def a_default_of_a_method_that_another_name_of_getattr_reads(compile):
    read = getattr
    return observed(compile, lambda tools, x: x * read(Tools.scaled, "__def" + "aults__")[0])


@program
def a_default_of_a_method_that_a_bound_method_reads(compile):
    def prepare(tools):
        tools.read = Tools.scaled.__getattribute__

    return observed(compile, lambda tools, x: x * tools.read("__defaults__")[0], prepare=prepare)
