"""Programs that depend on random generators."""

import numpy as np

from .table import ONES, calls, program


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
