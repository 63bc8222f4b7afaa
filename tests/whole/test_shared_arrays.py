"""An array that something else refers to is noticed, wherever that is, and never written into."""

import subprocess
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array

from tinytorch_autograd import InPlaceError
from tinytorch_compile import compile


def nowhere(get, run):
    run()


def variable(get, run):
    array = get()
    run()
    return array


def variable_that_is_not_used_again(get, run):
    array = get()  # noqa: F841
    run()


def argument(get, run):
    def function(array):
        run()

    function(get())


def argument_of_a_caller(get, run):
    def function(array):
        inner(array)

    def inner(array):
        run()

    function(get())


def arguments(get, run):
    def function(*arrays, **named):
        run()

    function(get())
    function(array=get())


def closure(get, run):
    array = get()

    def function():
        run()
        return array

    function()


def default(get, run):
    def function(array=get()):  # noqa: B008
        run()

    function()


def generator(get, run):
    def values():
        array = get()
        yield
        yield array

    started = values()
    next(started)
    run()


def loop(get, run):
    for array in [get()]:  # noqa: B007
        run()


def attribute(get, run):
    holder = SimpleNamespace(array=get())
    run()
    return holder


def items(get, run):
    for holder in ([get()], (get(),), {"array": get()}):  # noqa: B007
        run()


def expression(get, run):
    return get(), run()


def view(get, run):
    part = get()[...]
    run()
    return part


def buffer(get, run):
    part = memoryview(get())
    run()
    return part


def tensor(get, run):
    other = from_array(Tensor, get())
    run()
    return other


PLACES = [
    *(variable, variable_that_is_not_used_again, argument, argument_of_a_caller, arguments),
    *(closure, default, generator, loop, attribute, items, expression, view, buffer, tensor),
]
every_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)


def results():
    """Yield tensors, what may be shared of each, and values to assign to their first row."""
    x = Tensor(np.ones((4, 3)), requires_grad=True)
    result = x * 2
    yield result, lambda: result.data, 5.0
    part = (x * 2).mT[1:]
    yield part, lambda: part.data, 5.0
    yield part, lambda: part.data.base, 5.0
    whole = x * 2
    product = whole[1:] * x[1:]  # saves a view
    saved = lambda: next(a for a in product.grad_fn.saved if a.base is whole.data)  # noqa: E731
    yield whole, lambda: whole.data, product[0] * 2.5
    yield whole, saved, product[0] * 2.5


def assign(x, value):
    x[0] = value


@every_place
def test_assignment_is_refused(place):
    for x, get, value in results():
        with pytest.raises(InPlaceError):
            place(get, lambda x=x, value=value: assign(x, value))
        assert (x.data[0] == 2).all()


def test_assignment_is_recorded_if_only_nodes_have_the_array():
    for x, get, value in results():
        nowhere(get, lambda x=x, value=value: assign(x, value))
        assert (x.data[0] == 5).all()


@every_place
def test_a_gradient_is_copied(place):
    x = Tensor(np.ones(3), requires_grad=True)
    given = []

    def get():
        array = np.full(3, 7.0)
        given.append(weakref.ref(array))
        return array

    def run():
        x.grad = None
        x.sum().backward()
        assert not np.shares_memory(x.grad, given[-1]())
        assert x.grad.tolist() == [7, 7, 7]

    x.register_hook(lambda grad: given[-1]())
    place(get, run)
    assert given


def test_a_new_array_becomes_the_gradient_as_it_is():
    x = Tensor(np.ones(3), requires_grad=True)
    given = []

    def new(grad):
        array = grad * 2
        given.append(weakref.ref(array))
        return array

    x.register_hook(new)
    x.sum().backward()
    assert given[0]() is x.grad


@every_place
@pytest.mark.parametrize("adds", [False, True])
def test_a_gradient_stays_as_it_is_when_a_compiled_step_runs(place, adds):
    weight = Tensor(np.ones(3), requires_grad=True)

    @compile
    def step(x):
        if not adds:
            weight.grad = None
        (weight * x).sum().backward()

    for number in range(5):
        step(np.full(3, float(number)))
    held = []

    def get():
        held[:] = weakref.ref(weight.grad), weight.grad.copy()
        return weight.grad

    def run():
        step(np.full(3, 9.0))
        array, before = held
        assert (array() == before).all()

    place(get, run)
    assert step.reason is None
    assert "program" in repr(step)


WITHOUT_THE_GIL = """
import sys, warnings
sys._is_gil_enabled = lambda: False
import numpy as np
from tinytorch_core import Tensor
from tinytorch_autograd import InPlaceError, ModifiedError, no_grad
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_training import SGD

warnings.simplefilter("ignore", RecaptureWarning)
w = Tensor(np.ones(3), requires_grad=True)
try:
    (w * 2)[0] = 5.0
except InPlaceError:
    print("refused")

new = []
w.register_hook(lambda grad: new.append(grad * 2) or new[-1])
w.sum().backward()
print(np.shares_memory(new[0], w.grad))

loss = (w * w).sum()
with no_grad():
    w *= 2
try:
    loss.backward()
except ModifiedError:
    print("modified")

w = Tensor(np.ones(3), requires_grad=True)
optimizer = SGD([w], lr=0.5)

@compile
def step(x):
    optimizer.zero_grad()
    (w * x).sum().backward()
    optimizer.step()

@compile
def accumulate(x):
    (w * x).sum().backward()

for number in range(4):
    step(np.full(3, float(number)))
    held = w.grad
print(w.tolist(), step.reason)
for number in range(4):
    accumulate(np.full(3, float(number)))
print(held.tolist(), w.grad.tolist(), accumulate.reason)
"""


def test_without_the_gil_every_array_counts_as_shared():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_GIL], capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "refused",
        "False",
        "modified",
        "[-2.0, -2.0, -2.0] None",
        "[3.0, 3.0, 3.0] [9.0, 9.0, 9.0] it adds to gradients, which other code may hold, and "
        "Python without the global interpreter lock does not tell; call zero_grad() in the "
        "compiled function",
    ]
