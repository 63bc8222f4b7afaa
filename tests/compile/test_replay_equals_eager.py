"""Random programs with random changes between the calls: a replay equals the step, bit by bit.

Each example draws a program, which is a list of ops, and what happens between its calls. Two equal
machines run it, one with the step itself and one with the compiled step.
"""

import contextlib
import copy
import warnings
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tinytorch_core import Tensor, plugins

from tinytorch_activations import GELU, ReLU, relu, sigmoid, softmax
from tinytorch_autograd import no_grad
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_layers import BatchNorm1d, Dropout, LayerNorm, Linear, Module, Parameter
from tinytorch_losses import cross_entropy, huber_loss, mse_loss
from tinytorch_training import SGD, Adam, AdamW, RMSprop, clip_grad_norm, clip_grad_value

WIDTH = 3


def count_call(m, h, other):
    m.calls += 1
    return h * (1 + 1 / m.calls)


def add_to_total(m, h, other):
    m.total += h.data.sum(axis=0)
    return h + m.total


def replace_average(m, h, other):
    m.average = 0.9 * m.average + 0.1 * h.data.mean(axis=0)
    return h - m.average


def write_item(m, h, other):
    m.total[1] = h.data[0, 1]
    return h * m.total


def write_slice(m, h, other):
    work = np.zeros_like(h.data)
    work[:, 1:] = h.data[:, :-1]
    work[0] *= 2
    return h + work


def add_in_place(m, h, other):
    work = h * 1
    work += other
    return work


def branch(m, h, other):
    if h.data.sum() > 0:
        return h * 2
    return h - other


def branch_on_number(m, h, other):
    return h * float(np.sign(h.data.mean())) + h


def scalar_powers(m, h, other):
    scale = h.data.std() ** 1.5 + abs(h.data[0, 0]) ** 0.3
    return h * (1 / (1 + scale))


def append_and_pop(m, h, other):
    m.stack.append(h.data.sum())
    return h + m.stack.pop()


def swap(m, h, other):
    m.pair[0], m.pair[1] = m.pair[1], m.pair[0]
    return h * m.pair[0]


def hook(m, h, other):
    out = h * 1
    if out.requires_grad:
        out.register_hook(lambda grad: grad * m.options["scale"])
    return out


OPS = {
    # of one value
    "relu": lambda m, h, other: relu(h),
    "tanh": lambda m, h, other: np.tanh(h),
    "exp": lambda m, h, other: np.exp(-(h * h)),
    "square": lambda m, h, other: h**2,
    "cube": lambda m, h, other: (h * 0.1) ** 3,
    "root": lambda m, h, other: np.sqrt(abs(h) + 1),
    "sigmoid": lambda m, h, other: sigmoid(h),
    "softmax": lambda m, h, other: softmax(h),
    "reverse": lambda m, h, other: h[::-1],
    "columns": lambda m, h, other: h[:, ::-1],
    "reshape": lambda m, h, other: h.reshape(-1).reshape(h.shape),
    "transpose": lambda m, h, other: (h.T * 2).T,
    "pick": lambda m, h, other: h[m.indices % len(h)].mean(axis=0) + h,
    "centered": lambda m, h, other: h - h.mean(axis=0),
    "scaled": lambda m, h, other: h / (1 + abs(h).sum(axis=1, keepdims=True)),
    "largest": lambda m, h, other: h + h.max(axis=1, keepdims=True),
    "cumulative": lambda m, h, other: np.cumsum(h, axis=0),
    "sorted": lambda m, h, other: np.sort(h, axis=1),
    "detached": lambda m, h, other: h * h.detach(),
    "converted": lambda m, h, other: h.astype(np.float64).astype(h.dtype),
    "stacked": lambda m, h, other: np.concatenate([h, other])[: len(h)],
    # of two
    "plus": lambda m, h, other: h + other,
    "times": lambda m, h, other: h * other,
    "minus": lambda m, h, other: other - h,
    "divided": lambda m, h, other: h / (other * other + 1),
    "maximum": lambda m, h, other: np.maximum(h, other),
    "where": lambda m, h, other: np.where(h.data > other.data, h, other),
    "gram": lambda m, h, other: h @ (other.T @ h) * 0.1,
    # of parameters and modules
    "linear": lambda m, h, other: m.linear(h),
    "weight": lambda m, h, other: h @ m.weight,
    "norm": lambda m, h, other: m.norm(h),
    "batch norm": lambda m, h, other: m.batch_norm(h),
    "dropout": lambda m, h, other: m.dropout(h),
    "activation": lambda m, h, other: m.activation(h),
    # of state
    "noise": lambda m, h, other: h + m.generator.standard_normal(h.shape).astype(h.dtype),
    "option": lambda m, h, other: h * m.options["scale"],
    "table": lambda m, h, other: h + m.table,
    "count": count_call,
    "total": add_to_total,
    "average": replace_average,
    "write item": write_item,
    "write slice": write_slice,
    "add in place": add_in_place,
    "branch": branch,
    "branch on a number": branch_on_number,
    "powers of scalars": scalar_powers,
    "append and pop": append_and_pop,
    "swap": swap,
    "hook": hook,
}

LOSSES = {
    "mean": lambda m, h, targets: (h * h).mean(),
    "mse": lambda m, h, targets: mse_loss(h, h.detach() * 0 + m.goal),
    "huber": lambda m, h, targets: huber_loss(h, h.detach() * 0 + m.goal, delta=m.options["delta"]),
    "cross entropy": lambda m, h, targets: cross_entropy(h, targets),
}

OPTIMIZERS = [
    lambda p: SGD(p, lr=0.05),
    lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    lambda p: Adam(p, lr=0.01),
    lambda p: AdamW(p, lr=0.01, amsgrad=True),
    lambda p: RMSprop(p, lr=0.01, momentum=0.5),
]


class Machine(Module):
    """A program with its state, and a step that runs it."""

    def __init__(self, ops, loss, optimizer, clip, clear):
        self.ops, self.loss, self.clip, self.clear = list(ops), loss, clip, clear
        self.linear = Linear(WIDTH, WIDTH, generator=0)
        self.weight = Parameter(np.random.default_rng(1).standard_normal((WIDTH, WIDTH)) / 2)
        self.norm, self.batch_norm = LayerNorm(WIDTH), BatchNorm1d(WIDTH)
        self.dropout, self.activation = Dropout(0.3, generator=2), ReLU()
        self.optimizer = OPTIMIZERS[optimizer](self.parameters())
        self.generator = np.random.default_rng(3)
        self.options = {"scale": 1.5, "delta": 1.0, "flag": True}
        self.table = np.array([0.5, -0.25, 1.0])
        self.total, self.average = np.zeros(WIDTH), np.ones(WIDTH)
        self.pair, self.stack = [np.ones(WIDTH), np.full(WIDTH, 0.5)], []
        self.indices = np.array([0, 2, 2])
        self.goal = Tensor(np.float64(0.5))
        self.calls = 0
        self.held = []

    def step(self, x, targets):
        values = [x]
        for name, left, right in self.ops:
            h, other = values[left % len(values)], values[right % len(values)]
            values.append(OPS[name](self, h, other))
        loss = LOSSES[self.loss](self, sum(values[1:], values[0]), targets)
        if self.clear == "before":
            self.optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()
            if self.clip == "norm":
                clip_grad_norm(self.parameters(), 0.5)
            elif self.clip == "value":
                clip_grad_value(self.parameters(), 0.1)
            if self.clear != "never" or self.calls % 2 == 0:
                self.optimizer.step()
            if self.clear == "after":
                self.optimizer.zero_grad()
        return loss.detach()

    def observed(self):
        """Return all state as something that compares by every bit."""
        found = {}
        for name, p in self.named_parameters():
            found[name] = p.data, p.grad
            for key, value in self.optimizer.state.get(p, {}).items():
                found[f"{name}.{key}"] = (value,)
        for name in ("table", "total", "average", "calls"):
            found[name] = (getattr(self, name),)
        found["buffers"] = list(self.buffers())
        found["pair"], found["stack"] = self.pair, self.stack
        found["held"] = self.held
        for generator in (self.generator, self.dropout.generator):
            found[f"generator {len(found)}"] = [generator.bit_generator.state["state"]["state"]]
        return {name: [_bits(value) for value in values] for name, values in found.items()}


def _bits(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.str, value.shape, np.asarray(value).tobytes()
    return type(value), value


# What can happen between two calls. Each takes the machine; some return a context for the call.


def set_option(m):
    m.options["scale"] = -m.options["scale"]


def set_delta(m):
    m.options["delta"] = 0.25 if m.options["delta"] == 1.0 else 1.0


def write_table(m):
    m.table[1] += 1


def replace_table(m):
    m.table = m.table * 2


def convert_table(m):
    m.table = m.table.astype(np.float32)


def evaluate(m):
    m.train(not m.training)


def replace_weight(m):
    m.weight = Parameter(np.eye(WIDTH))
    m.optimizer.param_groups[0]["params"] = list(m.parameters())


def replace_module(m):
    m.activation = GELU() if isinstance(m.activation, ReLU) else ReLU()


def replace_data(m):
    m.weight.data = m.weight.data * 0.5


def transpose_data(m):
    m.weight.data = np.asfortranarray(m.weight.data)


def write_data(m):
    m.weight.data[0] = 0.5


def tie(m):
    m.linear.weight = m.norm.extra = Parameter(np.eye(WIDTH, dtype=np.float32))


def set_rate(m):
    m.optimizer.param_groups[0]["lr"] *= 0.5


def set_decay(m):
    m.optimizer.param_groups[0]["weight_decay"] = 0.1


def load_state(m):
    halves = {name: (array * 0.5).astype(array.dtype) for name, array in m.state_dict().items()}
    m.load_state_dict(halves)


def load_optimizer(m):
    m.optimizer.load_state_dict(m.optimizer.state_dict())


def reset_optimizer(m):
    m.optimizer.state.clear()


def freeze(m):
    m.linear.weight.requires_grad_(not m.linear.weight.requires_grad)


def clear_gradients(m):
    m.optimizer.zero_grad()


def set_gradients(m):
    for p in m.parameters():
        p.grad = np.ones_like(p.data)


def write_gradients(m):
    for p in m.parameters():
        if p.grad is not None:
            p.grad *= 2


def hold_gradients(m):
    m.held += [p.grad for p in m.parameters() if p.grad is not None]


def take_gradients(m):
    hold_gradients(m)
    m.optimizer.zero_grad()


def draw(m):
    m.generator.random()


def seed(m):
    m.generator = np.random.default_rng(7)


def restore(m):
    m.generator.bit_generator.state = np.random.default_rng(8).bit_generator.state


def copy_modules(m):
    m.linear = copy.deepcopy(m.linear)
    m.optimizer.param_groups[0]["params"] = list(m.parameters())


def change_op(m):
    m.ops[0] = ("option", 0, 0)


def add_op(m):
    m.ops.append(("tanh", 0, 0))


def write_total(m):
    m.total[0] = 3.0


def set_calls(m):
    m.calls = 0


def make_calls_a_float(m):
    m.calls = float(m.calls)


def rotate(m):
    m.pair.reverse()


def without_recording(m):
    return no_grad()


def without_a_plugin(m):
    return plugins.only("activations", "autograd", "layers", "losses", "training")


def ignoring_errors(m):
    return np.errstate(all="ignore")


def add_hook(m):
    m.weight.register_hook(lambda grad: grad * 2)


CHANGES = [
    *(set_option, set_delta, write_table, replace_table, convert_table, evaluate, replace_weight),
    *(replace_module, replace_data, transpose_data, write_data, tie, set_rate, set_decay),
    *(load_state, load_optimizer, reset_optimizer, freeze, clear_gradients, set_gradients),
    *(write_gradients, hold_gradients, take_gradients, draw, seed, restore, copy_modules),
    *(change_op, add_op, write_total, set_calls, make_calls_a_float, rotate),
    *(without_recording, without_a_plugin, ignoring_errors, add_hook),
]

OP = st.tuples(st.sampled_from(sorted(OPS)), st.integers(0, 5), st.integers(0, 5))
PROGRAMS = st.builds(
    lambda *parts: parts,
    st.lists(OP, min_size=1, max_size=6),
    st.sampled_from(sorted(LOSSES)),
    st.integers(0, len(OPTIMIZERS) - 1),
    st.sampled_from([None, None, "norm", "value"]),
    st.sampled_from(["before", "before", "after", "never"]),
)
CALLS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.none(), st.none(), st.sampled_from(CHANGES)),
        st.sampled_from([4, 4, 4, 4, 4, 1, 7]),
        st.sampled_from([np.float32, np.float32, np.float32, np.float64]),
        st.sampled_from(["new", "new", "new", "same", "transposed", "gradient", "read-only"]),
        st.sampled_from([1, 3, 4, 5]),
    ),
    min_size=2,
    max_size=6,
)


def batch(m, rng, size, dtype, kind, last):
    """Return the arguments of a call."""
    x = rng.standard_normal((size, WIDTH)).astype(dtype)
    targets = rng.integers(0, WIDTH, size)
    if kind == "same" and last is not None:
        return last
    if kind == "transposed":
        x = np.asfortranarray(x)
    elif kind == "gradient" and m.weight.grad is not None:
        x, targets = m.weight.grad, targets[:1].repeat(WIDTH)
        tensor = Tensor(0.0)
        tensor.data = x  # without a copy
        return tensor, targets
    elif kind == "read-only":
        x.flags.writeable = False
        tensor = Tensor(0.0)
        tensor.data = x
        return tensor, targets
    return Tensor(x), targets


def observations(program, calls, compile):
    """Return what is observed after each call."""
    machine = Machine(*program)
    step = compile(machine.step)
    rng, last, found = np.random.default_rng(0), None, []
    for change, size, dtype, kind, count in calls:
        context = None if change is None else change(machine)
        with contextlib.nullcontext() if context is None else context:
            for _ in range(count):
                last = batch(machine, rng, size, dtype, kind, last)
                found.append((_outcome(step, last), machine.observed()))
    return found, step


def _outcome(step, arguments):
    """Return the result of a call, or the error that it raised."""
    try:
        result = step(*arguments)
    except Exception as error:
        return type(error), str(error)
    return type(result), _bits(result.data), result.requires_grad


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(PROGRAMS, CALLS)
def test_a_replay_equals_the_step(program, calls):
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        patch("tinytorch_compile.compiled._MOST_PROGRAMS", 1000),
    ):
        warnings.simplefilter("ignore", RecaptureWarning)
        expected, _ = observations(program, calls, lambda step: step)
        found, _ = observations(program, calls, compile)
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one[0] == other[0], f"result of call {i}"
        for name, value in other[1].items():
            assert one[1][name] == value, f"{name} after call {i}"
