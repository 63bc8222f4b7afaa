"""A compiled step notices every change of what it depends on.

Each program calls a step several times and changes something between the calls. It runs once with
the step itself and once with the compiled step, and both must observe the same.
"""

import argparse
import collections
import copy
import dataclasses
import enum
import functools
import os
import pickle
import sys
import textwrap
import threading
import types
import warnings
from typing import NamedTuple

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_activations import ReLU, tanh
from tinytorch_autograd import no_grad
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_layers import BatchNorm1d, Linear, Module, Parameter, Sequential
from tinytorch_losses import mse_loss
from tinytorch_training import SGD, Adam, StepLR

PROGRAMS = {}

ONES = np.ones(2, np.float32)
ONES.flags.writeable = False


def program(function):
    """Add a program to the table: it takes `compile`, and returns a list of what it observed."""
    PROGRAMS[function.__name__] = function
    return function


def seen(thing):
    """Return an observation as something that compares by every bit."""
    if isinstance(thing, Tensor):
        return type(thing).__name__, seen(thing.data)
    if isinstance(thing, np.ndarray | np.generic):
        return type(thing).__name__, thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, list | tuple):
        return type(thing).__name__, *map(seen, thing)
    if isinstance(thing, dict):
        return {key: seen(value) for key, value in thing.items()}
    return type(thing).__name__, repr(thing)


@pytest.mark.filterwarnings("ignore::tinytorch_compile.RecaptureWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_compiled_step_observes_what_the_step_observes(name):
    expected = PROGRAMS[name](lambda step: step)
    assert seen(PROGRAMS[name](compile)) == seen(expected)


def calls(step, change=None, x=ONES, before=4, after=4):
    """Return the results of calls before and after a change."""
    found = [step(x) for _ in range(before)]
    if change is not None:
        change()
    return found + [step(x) for _ in range(after)]


# What objects hold.


@program
def a_namespace(compile):
    options = types.SimpleNamespace(scale=2.0)
    return calls(compile(lambda x: x * options.scale), lambda: setattr(options, "scale", 3.0))


@program
def parsed_arguments(compile):
    options = argparse.Namespace(scale=2.0, kind="double")

    def step(x):
        return x * options.scale if options.kind == "double" else x

    return calls(compile(step), lambda: setattr(options, "kind", "none"))


class Slots:
    __slots__ = ("__weakref__", "scale")

    def __init__(self, scale):
        self.scale = scale


@program
def slots(compile):
    options = Slots(2.0)
    return calls(compile(lambda x: x * options.scale), lambda: setattr(options, "scale", 3.0))


@program
def slots_with_an_array(compile):
    options = Slots(ONES * 2)

    def step(x):
        options.scale = options.scale + x
        return options.scale

    return [*calls(compile(step), lambda: setattr(options, "scale", ONES)), options.scale]


@program
def slots_with_a_counter(compile):
    options = Slots(0)

    def step(x):
        options.scale += 1
        return x * options.scale

    return [*calls(compile(step)), options.scale]


class Inherited(Slots):
    __slots__ = ("shift",)


@program
def inherited_slots(compile):
    options = Inherited(2.0)
    options.shift = 1.0
    step = compile(lambda x: x * options.scale + options.shift)
    return calls(step, lambda: setattr(options, "scale", 3.0)) + calls(
        step, lambda: setattr(options, "shift", 3.0)
    )


@dataclasses.dataclass
class Options:
    scale: float = 2.0
    parts: list = dataclasses.field(default_factory=lambda: [1.0])


@program
def a_dataclass(compile):
    options = Options()
    step = compile(lambda x: x * options.scale + options.parts[0])
    found = calls(step, lambda: setattr(options, "scale", 3.0))
    options.parts[0] = 2.0
    return found + calls(step)


@program
def a_dataclass_with_slots(compile):
    kind = dataclasses.make_dataclass("Kind", [("scale", float, 2.0)], slots=True)
    options = kind()
    return calls(compile(lambda x: x * options.scale), lambda: setattr(options, "scale", 3.0))


@program
def an_attribute_of_a_class(compile):
    class Scale:
        scale = 2.0

        def __call__(self, x):
            return x * self.scale

    return calls(compile(Scale()), lambda: setattr(Scale, "scale", 3.0))


@program
def an_attribute_of_a_base_class(compile):
    class Base:
        scale = 2.0

    class Scale(Base):
        def __call__(self, x):
            return x * self.scale

    return calls(compile(Scale()), lambda: setattr(Base, "scale", 3.0))


@program
def an_attribute_of_a_class_used_as_a_namespace(compile):
    class Options:
        scale = 2.0

    return calls(compile(lambda x: x * Options.scale), lambda: setattr(Options, "scale", 3.0))


@program
def an_array_of_a_class(compile):
    class Options:
        scale = ONES * 2

    step = compile(lambda x: x * Options.scale)
    found = calls(step, lambda: setattr(Options, "scale", ONES * 5))
    Options.scale[0] = 7
    return found + calls(step)


@program
def a_counter_of_a_class(compile):
    class Counting:
        count = 0

        def __call__(self, x):
            Counting.count += 1
            return x * Counting.count

    return [*calls(compile(Counting())), Counting.count]


@program
def a_counter_of_a_function(compile):
    def step(x):
        step.count += 1
        return x * step.count

    step.count = 0
    return [*calls(compile(step)), step.count]


@program
def an_attribute_that_shadows_one_of_the_class(compile):
    class Scale:
        scale = 2.0

        def __call__(self, x):
            return x * self.scale

    scale = Scale()
    return calls(compile(scale), lambda: setattr(scale, "scale", 3.0))


@program
def a_property(compile):
    class Scale:
        def __init__(self):
            self._scale = 2.0

        @property
        def scale(self):
            return self._scale

        def __call__(self, x):
            return x * self.scale

    scale = Scale()
    return calls(compile(scale), lambda: setattr(scale, "_scale", 3.0))


@program
def a_property_that_is_replaced(compile):
    class Scale:
        scale = property(lambda self: 2.0)

        def __call__(self, x):
            return x * self.scale

    return calls(compile(Scale()), lambda: setattr(Scale, "scale", property(lambda self: 3.0)))


@program
def attributes_computed_by_getattr(compile):
    class Scale:
        def __init__(self):
            self.store = {"scale": 2.0}

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return self.__dict__["store"][name]

        def __call__(self, x):
            return x * self.scale

    scale = Scale()
    return calls(compile(scale), lambda: scale.store.update(scale=3.0))


@program
def a_cached_property(compile):
    class Scale:
        base = 2.0

        @functools.cached_property
        def scale(self):
            return self.base + 1

        def __call__(self, x):
            return x * self.scale

    scale = Scale()

    def change():
        scale.base = 5.0
        del scale.scale

    return calls(compile(scale), change)


@program
def a_method_that_is_replaced_on_its_class(compile):
    class Net(Module):
        def forward(self, x):
            return x * 2

    return calls(compile(Net()), lambda: setattr(Net, "forward", lambda self, x: x * 3))


@program
def a_method_that_is_replaced_on_an_object(compile):
    class Net(Module):
        def forward(self, x):
            return x * 2

    net = Net()
    return calls(compile(net), lambda: setattr(net, "forward", lambda x: x * 3))


@program
def a_method_of_a_layer_that_is_replaced(compile):
    model, original = Sequential(Linear(2, 2, generator=0)), Linear.forward
    try:
        return calls(
            compile(no_grad()(lambda x: model(x).data)),
            lambda: setattr(Linear, "forward", lambda self, x: Tensor(x) * 3),
        )
    finally:
        Linear.forward = original


@program
def the_class_of_an_object(compile):
    class Double:
        def __call__(self, x):
            return x * 2

    class Triple:
        def __call__(self, x):
            return x * 3

    inner = Double()
    return calls(compile(lambda x: inner(x)), lambda: setattr(inner, "__class__", Triple))


@program
def an_attribute_that_is_renamed(compile):
    options = types.SimpleNamespace(scale=2.0)

    def change():
        del options.scale
        options.shift = 1.0

    step = compile(lambda x: x * getattr(options, "scale", 5.0) + getattr(options, "shift", 0.0))
    return calls(step, change)


@program
def an_attribute_that_becomes_an_array(compile):
    class Scale:
        mask = None
        training = True

        def __init__(self):
            self.mask = None

        def __call__(self, x):
            return x if self.mask is None else x * self.mask

    scale = Scale()
    return calls(compile(scale), lambda: setattr(scale, "mask", ONES * 4))


@program
def a_bound_method(compile):
    options = Options()
    options.__class__.times = lambda self, x: x * self.scale
    step = options.times
    return calls(compile(step), lambda: setattr(options, "scale", 3.0))


@program
def a_bound_method_in_a_list(compile):
    class Scale:
        def __init__(self, scale):
            self.scale = scale

        def times(self, x):
            return x * self.scale

    scale = Scale(2.0)
    steps = [scale.times]
    return calls(compile(lambda x: steps[0](x)), lambda: setattr(scale, "scale", 3.0))


# Containers.


@program
def true_and_one(compile):
    options = {"flag": True, "name": "a"}
    step = compile(lambda x: x * 2 if options["flag"] is True else x * 3)
    return calls(step, lambda: options.update(flag=1))


@program
def one_and_a_float(compile):
    options = {"power": 2, "other": 3}
    step = compile(lambda x: x * 2 if type(options["power"]) is int else x * 3)
    return calls(step, lambda: options.update(power=2.0))


@program
def zero_and_minus_zero(compile):
    options = {"zero": 0.0}
    step = compile(lambda x: np.copysign(x, options["zero"]))
    return calls(step, lambda: options.update(zero=-0.0))


@program
def zero_and_minus_zero_as_arguments(compile):
    step = compile(lambda x, zero: np.copysign(x, zero))
    return [step(ONES, zero) for zero in [0.0] * 4 + [-0.0] * 4]


@program
def numbers_as_arguments(compile):
    step = compile(lambda x, y: (x * y, type(y).__name__))
    values = [np.inf, -np.inf, np.nan, True, 1, 1.0, np.float64(2), np.float32(2), 1j, np.int64(3)]
    return [step(ONES, value) for value in values for _ in range(4)]


@program
def complex_zeros_as_arguments(compile):
    step = compile(lambda x, y: x * y)
    return [step(ONES, y) for y in (0j, complex(0.0, -0.0), complex(-0.0, 0.0)) for _ in range(4)]


class Mode(enum.StrEnum):
    ONE = "one"


@program
def text_and_an_equal_enum(compile):
    options = {"mode": "one"}
    step = compile(lambda x: x * 2 if options["mode"] is Mode.ONE else x)
    return calls(step, lambda: options.update(mode=Mode.ONE))


@program
def an_enum_as_an_argument(compile):
    step = compile(lambda x, mode: x * 2 if mode is Mode.ONE else x)
    return [step(ONES, mode) for mode in ["one"] * 4 + [Mode.ONE] * 4]


@program
def a_set(compile):
    active = {"double"}
    return calls(compile(lambda x: x * 2 if "double" in active else x), active.clear)


@program
def a_set_that_the_step_changes(compile):
    done = set()

    def step(x):
        done.add(len(done))
        return x * len(done)

    return [*calls(compile(step)), sorted(done)]


@program
def a_deque(compile):
    factors = collections.deque([1.0, 2.0])
    return calls(compile(lambda x: x * factors[-1]), lambda: factors.append(3.0))


@program
def a_deque_that_the_step_changes(compile):
    history = collections.deque(maxlen=3)

    def step(x):
        history.append(x.sum().item())
        return x * len(history)

    return [*calls(compile(step)), list(history)]


@program
def a_deque_of_arrays(compile):
    history = collections.deque([ONES, ONES], maxlen=2)

    def step(x):
        history.append(history[0] + x)
        return history[0] * 2

    return [*calls(compile(step)), list(history)]


@program
def a_bytearray(compile):
    data = bytearray(b"ab")
    return calls(compile(lambda x: x * data[0]), lambda: data.__setitem__(0, 3))


@program
def the_order_of_a_dict(compile):
    factors = {"a": 2.0, "b": 3.0}

    def step(x):
        for factor in factors.values():
            x = x * factor + 1
        return x

    return calls(compile(step), lambda: factors.update(a=factors.pop("a")))


@program
def a_read_only_view_of_a_dict(compile):
    factors = {"a": 2.0}
    view = types.MappingProxyType(factors)
    return calls(compile(lambda x: x * view["a"]), lambda: factors.update(a=3.0))


@program
def a_user_dict(compile):
    factors = collections.UserDict(a=2.0)
    return calls(compile(lambda x: x * factors["a"]), lambda: factors.update(a=3.0))


@program
def a_chain_of_dicts(compile):
    first, second = {}, {"a": 2.0}
    chain = collections.ChainMap(first, second)
    return calls(compile(lambda x: x * chain["a"]), lambda: first.update(a=3.0))


@program
def a_dict_with_attributes(compile):
    class Options(dict):
        scale = 2.0

    options = Options()
    options.scale = 3.0
    return calls(compile(lambda x: x * options.scale), lambda: setattr(options, "scale", 4.0))


@program
def a_list_with_attributes(compile):
    class Options(list):
        pass

    options = Options()
    options.scale = 3.0
    return calls(compile(lambda x: x * options.scale), lambda: setattr(options, "scale", 4.0))


@program
def a_counter_in_a_dict(compile):
    counts = collections.Counter()

    def step(x):
        counts["calls"] += 1
        return x * counts["calls"]

    return [*calls(compile(step)), dict(counts)]


@program
def a_list_that_grows(compile):
    losses = []

    def step(x):
        losses.append((x * 2).sum().item())
        return x * len(losses)

    return [*calls(compile(step)), losses]


@program
def a_tuple_with_a_list(compile):
    parts = ([2.0], "name")
    return calls(compile(lambda x: x * parts[0][0]), lambda: parts[0].__setitem__(0, 3.0))


# Functions and modules.


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


# State of NumPy, and random numbers.


@program
def a_legacy_generator(compile):
    generator = np.random.RandomState(0)
    return calls(compile(lambda x: x + generator.standard_normal(2)))


@program
def a_generator_that_is_shared(compile):
    generator = np.random.default_rng(0)
    step = compile(lambda x: x + generator.standard_normal(2))
    return [part for _ in range(6) for part in (step(ONES), generator.random())]


@program
def two_generators_of_one_stream(compile):
    stream = np.random.PCG64(0)
    one, two = np.random.Generator(stream), np.random.Generator(stream)
    return calls(compile(lambda x: x + one.random(2) - two.random(2)))


@program
def a_generator_whose_state_is_set(compile):
    generator = np.random.default_rng(0)
    start = generator.bit_generator.state
    step = compile(lambda x: x + generator.standard_normal(2))
    return calls(step, lambda: setattr(generator.bit_generator, "state", start))


@program
def a_generator_that_is_replaced(compile):
    options = {"generator": np.random.default_rng(0)}
    step = compile(lambda x: x + options["generator"].standard_normal(2))
    return calls(step, lambda: options.update(generator=np.random.default_rng(1)))


@program
def a_generator_created_in_the_step(compile):
    return calls(compile(lambda x: x + np.random.default_rng(7).random(2)))


@program
def a_generator_in_a_tuple(compile):
    parts = (np.random.default_rng(0),)
    return calls(compile(lambda x: x + parts[0].random(2)))


# Arguments.


@program
def a_batch_as_a_dict(compile):
    step = compile(lambda batch: batch["x"] * 2 + batch["y"][0])
    return [step({"x": ONES * i, "y": [Tensor(ONES), 3]}) for i in range(6)]


@program
def a_batch_as_a_tuple(compile):
    step = compile(lambda batch: batch[0] * batch[1])
    return [step((ONES * i, Tensor(ONES * 2))) for i in range(6)]


@program
def a_batch_of_another_structure(compile):
    step = compile(lambda batch: sum(batch[1:], batch[0]))
    return [step([ONES] * size) for size in (2, 2, 2, 3, 3, 3, 2, 1)]


@program
def a_batch_with_other_keys(compile):
    step = compile(lambda batch: batch.get("x", 0) + batch["y"] * 2)
    return [step({"y": ONES, **more}) for more in [{"x": ONES}] * 4 + [{"z": ONES}] * 4 + [{}] * 4]


@program
def a_batch_in_another_order(compile):
    step = compile(lambda batch: next(iter(batch.values())) * 2)
    one = {"x": ONES, "y": ONES * 3}
    two = {"y": ONES * 3, "x": ONES}
    return [step(batch) for batch in [one] * 4 + [two] * 4]


@program
def a_batch_that_the_step_changes(compile):
    def step(batch):
        batch["y"] = batch["x"] * 2
        return batch["y"] + 1

    step = compile(step)
    batches = [{"x": ONES * i} for i in range(6)]
    return [step(batch) for batch in batches] + batches


@program
def a_list_that_the_step_fills(compile):
    def step(x, results):
        results.append(x * 2)

    step = compile(step)
    results = []
    for i in range(6):
        step(ONES * i, results)
    return results


class Batch(NamedTuple):
    x: object
    y: object


@program
def a_named_tuple(compile):
    step = compile(lambda batch: batch.x * 2 + batch.y)
    return [step(Batch(ONES * i, ONES)) for i in range(6)]


@program
def an_argument_that_is_modified(compile):
    def step(x):
        x += 1
        return x * 2

    step = compile(step)
    arrays = [np.full(2, float(i)) for i in range(6)]
    return [step(x) for x in arrays] + arrays


@program
def an_item_of_an_argument_that_is_set(compile):
    def step(x):
        x[0] = 5
        return x * 2

    step = compile(step)
    arrays = [np.full(2, float(i)) for i in range(6)]
    return [step(x) for x in arrays] + arrays


@program
def a_tensor_argument_that_is_modified(compile):
    def step(x):
        x += 1
        return x * 2

    step = compile(step)
    tensors = [Tensor(np.full(2, float(i))) for i in range(6)]
    return [step(x) for x in tensors] + tensors


@program
def the_same_array_twice(compile):
    def step(x, y):
        return x @ y.T + (x is y)

    step = compile(step)
    x, y = np.random.default_rng(0).standard_normal((2, 5, 5))
    return [step(a, b) for a, b in [(x, y)] * 4 + [(x, x)] * 4 + [(x, y)] * 2]


@program
def an_argument_that_is_the_last_result(compile):
    step = compile(lambda x: np.exp(-x) + x)
    x, found = ONES, []
    for _ in range(8):
        x = step(x)
        found.append(x)
    return found


@program
def an_argument_that_is_a_gradient(compile):
    w = Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        (w * w * x).sum().backward()
        w.data -= 0.1 * w.grad
        grad = w.grad * x
        return grad

    step = compile(step)
    found = [step(ONES) for _ in range(4)]
    return found + [step(w.grad) for _ in range(3)] + [step(w.data) for _ in range(3)] + [w]


@program
def an_argument_that_is_a_view_of_a_parameter(compile):
    w = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)

    def step(x):
        w.data += x
        return w.data * x

    step = compile(step)
    found = [step(np.ones((3, 2))) for _ in range(4)]
    return found + [step(w.data[::-1]) for _ in range(3)] + [w]


@program
def arguments_of_other_layouts(compile):
    step = compile(lambda x: (x * 2).sum(axis=0) + x[0] + np.exp(x).T.sum(axis=1))
    base = np.random.default_rng(0).standard_normal((6, 4))
    layouts = [base, base[::2], base[::-1], np.asfortranarray(base), base.T, base.astype(">f8")]
    layouts += [base[:, ::-1], base[:1], base.astype(np.float32), np.broadcast_to(base[:1], (6, 4))]
    frozen = base.copy()
    frozen.flags.writeable = False
    layouts.append(frozen)
    with np.errstate(all="ignore"):
        return [step(x) for x in layouts for _ in range(4)]


@program
def arguments_without_dimensions(compile):
    step = compile(lambda x: x * 2 + 1)
    values = [np.array(1.0), np.array(2, np.float32), np.zeros(0), np.float64(3)]
    return [step(x) for x in values for _ in range(4)]


@program
def empty_arguments(compile):
    step = compile(lambda x: x * 2 + x.sum(axis=0))
    return [step(x) for x in (np.ones((3, 2)), np.ones((0, 2)), np.ones((3, 0))) for _ in range(4)]


@program
def subclasses_of_arrays(compile):
    step = compile(lambda x: x * x)
    base = np.arange(4.0).reshape(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = [np.matrix(base), np.ma.masked_array(base, base > 2), base.view(np.recarray)]
        return [step(x) for x in values for _ in range(4)]


@program
def arrays_of_other_things(compile):
    step = compile(lambda x: x[0])
    text, objects = np.array(["a", "b"]), np.array([1, 2], object)
    times = np.array(["2020-01-01", "2021-01-01"], "datetime64[D]")
    return [step(x) for x in (text, objects, times) for _ in range(4)]


@program
def tensors_with_attributes(compile):
    def step(x):
        return x * getattr(x, "weight", 1.0)

    step = compile(step)
    found = [step(Tensor(ONES)) for _ in range(4)]
    for weight in (2.0, 2.0, 2.0, 3.0):
        x = Tensor(ONES)
        x.weight = weight
        found.append(step(x))
    return found


@program
def an_argument_that_requires_grad(compile):
    step = compile(lambda x: (x * 2, x.requires_grad) if x.requires_grad else x * 3)
    tracked = [Tensor(ONES, requires_grad=flag) for flag in (False,) * 4 + (True,) * 4]
    found = []
    for x in tracked:
        result = step(x)
        found.append(result if isinstance(result, Tensor) else [result[0].detach(), result[1]])
    return found


@program
def an_argument_with_a_gradient(compile):
    def step(x):
        (x * x).sum().backward()
        return x.grad * 2

    step = compile(step)
    found = []
    for _ in range(5):
        x = Tensor(ONES * 3, requires_grad=True)
        found += [step(x), x.grad]
    return found


@program
def an_object_as_an_argument(compile):
    step = compile(lambda options, x: x * options.scale)
    options = Options()
    found = [step(options, ONES) for _ in range(4)]
    options.scale = 3.0
    return found + [step(options, ONES) for _ in range(4)] + [step(Options(), ONES)]


@program
def a_model_as_an_argument(compile):
    def step(model, x):
        loss = mse_loss(model(x), x)
        model.zero_grad()
        loss.backward()
        return loss

    step = compile(step)
    found = []
    for seed in (0, 0, 0, 0, 1):
        model = Linear(2, 2, generator=seed)
        found += [step(model, Tensor(ONES[None])), model.weight.grad]
    return found


@program
def a_generator_as_an_argument(compile):
    generator = np.random.default_rng(0)
    step = compile(lambda x, generator: x + generator.random(2))
    return [step(ONES, generator) for _ in range(6)] + [generator.random()]


@program
def keywords_in_another_order(compile):
    step = compile(lambda x, **factors: x * next(iter(factors.values())))
    return [step(ONES, a=2.0, b=3.0) for _ in range(4)] + [step(ONES, b=3.0, a=2.0)] * 4


@program
def the_values_of_an_index(compile):
    step = compile(lambda x, i: x[i] * 2)
    x = np.arange(10.0)
    indices = [np.array([1, 2]), np.array([3, 3]), np.array([0, 9])]
    return [step(x, i) for i in indices * 3]


@program
def a_mask(compile):
    step = compile(lambda x: x[x > 0] * 2)
    return [step(np.array(x, float)) for x in ([1, 2], [1, -2], [3, 4], [-1, -2], [1, 1], [2, 2])]


# Results.


@program
def the_kinds_of_results(compile):
    step = compile(
        lambda x: (x.sum(), x[0], x * 2, x.sum().item(), x.size, [x.max()], {"a": x + 1})
    )
    return [step(ONES * i) for i in range(6)]


@program
def powers_of_scalars(compile):
    step = compile(lambda x: (x.sum() ** 2.5, x[0] ** x[1], x ** x[0], x.mean() ** 3, 2.5 ** x[1]))
    rng = np.random.default_rng(0)
    return [step(rng.random(2).astype(dtype)) for dtype in "ffffdddd" * 50]


@program
def scalars_that_are_updated(compile):
    def step(x):
        total = x.sum()
        first = total
        total += 1
        total **= 2
        return total, first

    step = compile(step)
    return [step(ONES * i) for i in range(6)]


@program
def the_sign_of_zero(compile):
    step = compile(lambda x: np.copysign(x, float(x[0] * 0)))
    return [step(ONES * sign) for sign in (1, 1, 1, -1, 1, -1, np.nan, np.nan, np.nan)]


@program
def results_that_are_kept(compile):
    step = compile(lambda x: (x * 2, Tensor(x) + 1))
    return [step(ONES * i) for i in range(8)]


@program
def an_early_return(compile):
    state = {"calls": 0}

    def step(x):
        state["calls"] += 1
        if state["calls"] % 4 == 0:
            return None
        return x * 2

    return calls(compile(step), after=9)


@program
def a_stored_argument(compile):
    class Difference:
        last = ONES

        def __init__(self):
            self.last = np.zeros(2, np.float32)

        def __call__(self, x):
            difference, self.last = x - self.last, x
            return difference

    step, x = compile(Difference()), np.zeros(2, np.float32)
    found = []
    for _ in range(8):
        x += 1  # also changes what is stored
        found.append(step(x))
    return found


@program
def arrays_that_become_one(compile):
    arrays = [np.zeros(2), np.zeros(2)]

    def step(x):
        if x[0] > 3:
            arrays[1] = arrays[0]
        arrays[0] += x
        arrays[1] -= 2 * x
        return arrays[0] + arrays[1]

    step, found = compile(step), []
    for i in range(12):
        if i == 6 or i == 9:
            arrays[1] = arrays[1].copy()
        found.append(step(ONES * i))
    return found


# Ops of plugins that were registered while the program runs, as in a notebook.


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


# Training.


class Training:
    """A network, an optimizer and a step."""

    def __init__(self, optimizer=lambda p: Adam(p, lr=0.1)):
        self.model = Sequential(Linear(2, 3, generator=0), ReLU(), Linear(3, 2, generator=1))
        self.optimizer = optimizer(self.model.parameters())

    def step(self, x):
        loss = mse_loss(self.model(Tensor(x[None])), Tensor(x[None] * 2))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def observed(self):
        found = [copy.deepcopy([p.data, p.grad]) for p in self.model.parameters()]
        return [*found, list(self.optimizer.state_dict()["state"])]


def training(change, optimizer=lambda p: Adam(p, lr=0.1), kind=Training):
    """Add a program that trains, with a change between the calls."""

    def run(compile):
        trained = kind(optimizer)
        step = compile(trained.step)
        found = calls(step)
        for _ in range(2):
            change(trained)
            found += [*calls(step, before=4, after=0), trained.observed()]
        return found

    PROGRAMS[f"training_{change.__name__}"] = run


@training
def nothing_changes(trained):
    pass


@training
def a_layer_is_replaced(trained):
    trained.model = Sequential(Linear(2, 3, generator=5), *list(trained.model)[-1:])


@training
def a_parameter_is_replaced(trained):
    trained.model[0].weight = Parameter(np.ones((2, 3), np.float32))


@training
def parameters_are_tied(trained):
    first = Linear(2, 2, generator=5)
    trained.model = Sequential(first, ReLU(), Linear(2, 2, generator=6), first)
    trained.model[2].weight = first.weight
    trained.optimizer = Adam(trained.model.parameters(), lr=0.1)


@training
def a_group_is_added(trained):
    extra = Parameter(np.ones(2, np.float32))
    extra.grad = np.ones(2, np.float32)
    trained.optimizer.add_param_group({"params": [extra], "lr": 0.5})


@training
def the_state_is_loaded(trained):
    state = {name: array + 1 for name, array in trained.model.state_dict().items()}
    trained.model.load_state_dict(state)


@training
def the_state_of_the_optimizer_is_loaded(trained):
    state = trained.optimizer.state_dict()
    for part in state["state"]:
        part["step"] += 3
    trained.optimizer.load_state_dict(state)


@training
def the_model_is_copied(trained):
    trained.model = copy.deepcopy(trained.model)


@training
def the_model_is_pickled(trained):
    trained.model = pickle.loads(pickle.dumps(trained.model))
    trained.optimizer = Adam(trained.model.parameters(), lr=0.05)


@training
def a_gradient_is_set(trained):
    for p in trained.model.parameters():
        p.grad = np.ones_like(p.data)


@training
def a_gradient_is_modified(trained):
    for p in trained.model.parameters():
        if p.grad is not None:
            p.grad += 1


@training
def a_layer_is_frozen(trained):
    trained.model[0].requires_grad_(False)


@training
def the_rate_becomes_an_array(trained):
    trained.optimizer.param_groups[0]["lr"] = np.float32(0.3)


@training
def the_rate_becomes_whole(trained):
    trained.optimizer.param_groups[0]["lr"] = 1


@training
def the_step_counter_is_large(trained):
    for state in trained.optimizer.state.values():
        state["step"] = 2**53


@training
def the_parameter_is_converted(trained):
    for p in trained.model.parameters():
        p.data = p.data.astype(np.float64)


@training
def a_parameter_gets_another_layout(trained):
    p = trained.model[0].weight
    p.data = np.asfortranarray(p.data)


@training
def the_data_is_held_and_modified(trained):
    held = trained.model[0].weight.data
    held[0] = 3


@training
def momentum_is_set(trained):
    trained.optimizer.param_groups[0]["eps"] = 0.5


@training
def a_module_is_appended(trained):
    trained.model = Sequential(*trained.model, ReLU())


@training
def evaluation_without_recording(trained):
    with no_grad():
        trained.step_result = trained.model(Tensor(ONES[None])).data.copy()


@program
def gradients_that_accumulate_over_calls(compile):
    model = Linear(2, 2, generator=0)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

    def backward(x):
        loss = mse_loss(model(Tensor(x[None])), Tensor(x[None]))
        loss.backward()
        return loss

    step, found = compile(backward), []
    for i in range(12):
        found.append(step(ONES * i))
        if i % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
        found += [None if p.grad is None else p.grad.copy() for p in model.parameters()]
    return found


@program
def gradients_that_the_user_holds(compile):
    trained, held = Training(), []
    step = compile(trained.step)
    for i in range(8):
        step(ONES * i)
        held += [p.grad for p in trained.model.parameters()]
    return held


@program
def a_schedule(compile):
    trained = Training()
    schedule = StepLR(trained.optimizer, 2)

    def step(x):
        loss = trained.step(x)
        schedule.step()
        return loss

    return [*calls(compile(step)), trained.observed(), trained.optimizer.param_groups[0]["lr"]]


@program
def batch_normalization_that_is_reset(compile):
    model = Sequential(BatchNorm1d(2))
    step = compile(no_grad()(lambda x: model(x)))
    x = Tensor(np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32))

    def change():
        model[0].running_mean = np.zeros(2, np.float32)
        model[0].momentum = 0.5

    return [*calls(step, change, x), model[0].running_mean, model[0].running_var]


@program
def an_error_in_the_step(compile):
    trained = Training()

    def step(x):
        if (x > 5).any():
            trained.optimizer.zero_grad()
            raise ValueError("too large")
        return trained.step(x)

    step = compile(step)
    found = calls(step)
    for _ in range(2):
        with pytest.raises(ValueError, match="too large"):
            step(ONES * 10)
        found += [trained.observed(), *calls(step)]
    return found


@program
def warnings_in_the_step(compile):
    def step(x):
        warnings.warn("called", stacklevel=1)
        return x * 2

    step, counts = compile(step), []
    for _ in range(6):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step(ONES)
        counts.append([w.category.__name__ for w in caught if w.category is not RecaptureWarning])
    return counts


@program
def a_hook_on_a_result_within_the_step(compile):
    w = Tensor([1.0, 2.0], requires_grad=True)
    scale = [2.0]

    def step(x):
        y = w * x
        y.register_hook(lambda grad: grad * scale[0])
        y.sum().backward()
        grad, w.grad = w.grad, None
        return grad

    return calls(compile(step), lambda: scale.__setitem__(0, 3.0))


@program
def a_retained_gradient(compile):
    w = Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        y = w * x
        y.retain_grad()
        (y * y).sum().backward()
        w.grad = None
        return y.grad * 2

    return calls(compile(step))


@program
def an_array_that_the_tensor_shares(compile):
    array = np.array([1.0, 2.0])
    w = Tensor._from_array(array)

    def step(x):
        w.data += x
        return array * 2

    return [*calls(compile(step)), array, w]


@program
def a_plugin_that_is_toggled(compile):
    step = compile(lambda x: x * 2 + hasattr(x, "requires_grad"))
    x, found = Tensor(ONES), []
    for _ in range(3):
        found += calls(step, x=x, before=2, after=2)
        with plugins.disable("autograd"):
            found += calls(step, x=x, before=2, after=2)
    return found


@program
def a_compiled_step_that_calls_another(compile):
    options = Options()
    inner = compile(lambda x: x * options.scale)
    for _ in range(4):
        inner(ONES)
    outer = compile(lambda x: inner(x) + 1)
    return calls(outer, lambda: setattr(options, "scale", 4.0)) + calls(inner)


@program
def a_step_that_calls_itself(compile):
    def down(x, depth=3):
        return x if depth == 0 else again(x * 2, depth - 1)

    again = compile(down)
    return calls(again)
