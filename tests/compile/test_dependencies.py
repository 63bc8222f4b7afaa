"""A compiled step notices every change of what it depends on.

Each program calls a step several times and changes something between the calls. It runs once with
the step itself and once with the compiled step, and both must observe the same.
"""

import pytest

from tinytorch_compile import compile

from .programs import (
    arguments,
    containers,
    functions,
    generators,
    notebooks,
    objects,
    results,
    training,
    unused,
)
from .programs.table import PROGRAMS, seen

# Importing these fills the table.
MODULES = [arguments, containers, functions, generators, notebooks, objects, results, training]
MODULES += [unused]

# The programs that cannot be compiled, so they run as they are.
NOT_COMPILED = """
    numbers_as_arguments a_set_that_the_step_changes a_deque_that_the_step_changes a_bytearray
    a_read_only_view_of_a_dict a_list_that_grows a_cached_function a_cached_array
    a_global_name_that_the_step_only_writes values_of_a_thread a_legacy_generator
    a_generator_in_a_tuple a_batch_that_the_step_changes a_list_that_the_step_fills
    an_argument_that_is_modified an_item_of_an_argument_that_is_set
    a_tensor_argument_that_is_modified an_argument_that_is_a_gradient
    an_argument_that_is_a_view_of_a_parameter arguments_of_other_layouts subclasses_of_arrays
    arrays_of_other_things an_argument_that_requires_grad an_argument_with_a_gradient
    a_stored_argument arrays_that_become_one training_parameters_are_tied
    training_the_model_is_pickled training_the_parameter_is_converted a_schedule
    warnings_in_the_step
""".split()  # noqa: SIM905


@pytest.mark.filterwarnings("ignore::tinytorch_compile.RecaptureWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_compiled_step_observes_what_the_step_observes(name):
    expected = PROGRAMS[name](lambda step: step)
    steps = []

    def compiled(step):
        steps.append(compile(step))
        return steps[-1]

    assert seen(PROGRAMS[name](compiled)) == seen(expected)
    run_as_they_are = any(step.reason is not None or step.compiled is None for step in steps)
    assert run_as_they_are == (name in NOT_COMPILED), [step.reason for step in steps]
