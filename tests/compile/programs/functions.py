"""Programs that depend on functions, modules and the environment."""

import functools
import os
import sys
import threading
import types

import numpy as np
import pytest

from tinytorch_activations import tanh

from .table import ONES, calls, program


@program
def a_default_value_that_is_mutated(compile):
    def step(x, factors=[2.0]):  # noqa: B006
        return x * factors[0]

    return calls(compile(step), lambda: step.__defaults__[0].__setitem__(0, 3.0))


@program
def a_default_value_that_is_replaced(compile):
    def scale(x, factor=2.0):
        return x * factor

    def change():
        scale.__defaults__ = (3.0,)

    return calls(compile(lambda x: scale(x)), change)


@program
def a_keyword_default_that_is_replaced(compile):
    def scale(x, *, factor=2.0):
        return x * factor

    return calls(compile(lambda x: scale(x)), lambda: scale.__kwdefaults__.update(factor=3.0))


@program
def the_code_of_a_function(compile):
    def scale(x):
        return x * 2

    def other(x):
        return x * 3

    def change():
        scale.__code__ = other.__code__

    return calls(compile(lambda x: scale(x)), change)


@program
def a_partial(compile):
    factors = [2.0]
    step = compile(functools.partial(lambda factors, x: x * factors[0], factors))
    return calls(step, lambda: factors.__setitem__(0, 3.0))


@program
def the_keywords_of_a_partial(compile):
    inner = functools.partial(lambda x, factor: x * factor, factor=2.0)
    return calls(compile(lambda x: inner(x)), lambda: inner.keywords.update(factor=3.0))


@program
def a_cached_function(compile):
    options = {"scale": 2.0}

    @functools.lru_cache
    def scale():
        return options["scale"]

    step = compile(lambda x: x * scale())

    def change():
        options["scale"] = 3.0
        scale.cache_clear()

    return calls(step, change)


@program
def a_cached_array(compile):
    @functools.lru_cache
    def mask(size):
        return np.arange(float(size))

    step = compile(lambda x: x * mask(2))
    return calls(step, lambda: mask(2).__setitem__(0, 5.0))


def module(**names):
    made = types.ModuleType("settings_of_a_test")
    vars(made).update(names)
    return made


@program
def a_module_of_settings(compile):
    settings = module(scale=2.0)
    namespace = {"settings": settings, "__name__": "program"}
    exec("def step(x):\n    return x * settings.scale\n", namespace)
    return calls(compile(namespace["step"]), lambda: setattr(settings, "scale", 3.0))


@program
def a_module_in_a_variable(compile):
    settings = module(scale=2.0)
    return calls(compile(lambda x: x * settings.scale), lambda: setattr(settings, "scale", 3.0))


@program
def a_module_within_a_package(compile):
    settings = module(inner=module(scale=2.0))
    namespace = {"package": settings, "__name__": "program"}
    exec("def step(x):\n    return x * package.inner.scale\n", namespace)
    return calls(compile(namespace["step"]), lambda: setattr(settings.inner, "scale", 3.0))


@program
def a_module_imported_in_the_step(compile):
    sys.modules["settings_of_a_test"] = settings = module(scale=2.0)
    try:
        namespace = {"__name__": "program"}
        exec(
            "def step(x):\n"
            "    import settings_of_a_test\n"
            "    return x * settings_of_a_test.scale\n",
            namespace,
        )
        return calls(compile(namespace["step"]), lambda: setattr(settings, "scale", 3.0))
    finally:
        del sys.modules["settings_of_a_test"]


@program
def a_name_imported_in_the_step(compile):
    sys.modules["settings_of_a_test"] = settings = module(scale=2.0)
    try:
        namespace = {"__name__": "program"}
        exec(
            "def step(x):\n    from settings_of_a_test import scale\n    return x * scale\n",
            namespace,
        )
        return calls(compile(namespace["step"]), lambda: setattr(settings, "scale", 3.0))
    finally:
        del sys.modules["settings_of_a_test"]


@program
def a_function_of_a_module_that_is_replaced(compile):
    tools = module(double=lambda x: x * 2)
    return calls(compile(lambda x: tools.double(x)), lambda: setattr(tools, "double", tanh))


@program
def a_global_name_that_hides_a_builtin(compile):
    namespace = {"__name__": "program"}
    exec("def step(x):\n    return x * len(x)\n", namespace)
    return calls(compile(namespace["step"]), lambda: namespace.update(len=lambda x: 5))


@program
def a_global_name_that_the_step_only_writes(compile):
    namespace = {"__name__": "program", "done": False}
    exec("def step(x):\n    global done\n    done = True\n    return x * 2\n", namespace)
    step = compile(namespace["step"])
    found = calls(step)
    namespace["done"] = False
    return [*found, *calls(step), namespace["done"]]


@program
def a_global_counter(compile):
    namespace = {"__name__": "program", "count": 0}
    exec(
        "def step(x):\n    global count\n    count += 1\n    return x * 2 if count < 6 else x\n",
        namespace,
    )
    return [*calls(compile(namespace["step"])), namespace["count"]]


@program
def a_variable_that_the_step_rebinds(compile):
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * 2 if count % 3 else x

    return [*calls(compile(step)), count]


@program
def a_variable_of_the_environment(compile):
    os.environ["TINYTORCH_TEST_SCALE"] = "2"
    try:
        step = compile(lambda x: x * float(os.environ["TINYTORCH_TEST_SCALE"]))
        return calls(step, lambda: os.environ.update(TINYTORCH_TEST_SCALE="3"))
    finally:
        del os.environ["TINYTORCH_TEST_SCALE"]


@program
def a_variable_of_the_environment_by_getenv(compile):
    def change():
        os.environ["TINYTORCH_TEST_SCALE"] = "3"

    try:
        return calls(compile(lambda x: x * float(os.getenv("TINYTORCH_TEST_SCALE", "2"))), change)
    finally:
        del os.environ["TINYTORCH_TEST_SCALE"]


@program
def error_handling_of_numpy(compile):
    step = compile(lambda x: x * 2 if np.geterr()["divide"] == "ignore" else x)
    with np.errstate(divide="warn"):
        found = calls(step)
    with np.errstate(divide="ignore"):
        return found + calls(step)


@program
def errors_of_numpy_that_are_raised(compile):
    total = np.zeros(2)

    def step(x):
        total[...] += 1
        y = 1 / x
        total[...] += y
        return y

    step = compile(step)
    found = calls(step)
    with np.errstate(divide="raise"):
        for _ in range(2):
            with pytest.raises(FloatingPointError):
                step(ONES * 0)
    return [*found, total, *calls(step), total]


@program
def values_of_a_thread(compile):
    local = threading.local()
    local.scale = 2.0
    return calls(compile(lambda x: x * local.scale), lambda: setattr(local, "scale", 3.0))
