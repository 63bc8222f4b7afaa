"""Programs that depend on training."""

import copy
import pickle
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_activations import ReLU
from tinytorch_autograd import no_grad
from tinytorch_compile import RecaptureWarning
from tinytorch_layers import BatchNorm1d, Linear, Parameter, Sequential
from tinytorch_losses import mse_loss
from tinytorch_training import SGD, Adam, StepLR

from .table import ONES, PROGRAMS, Options, calls, program


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
