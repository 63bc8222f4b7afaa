"""Programs that depend on containers and equal values."""

import collections
import enum
import types

import numpy as np

from .table import ONES, calls, program


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
