"""Programs that depend on what objects and classes hold."""

import argparse
import dataclasses
import functools
import types

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_layers import Linear, Module, Sequential

from .table import ONES, Options, calls, program


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
    class Times(Options):
        def times(self, x):
            return x * self.scale

    options = Times()
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
