"""A replay never differs from the step: a change is noticed, and the step is captured again."""

import logging
import random
import threading
import time
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_activations import ReLU
from tinytorch_autograd import ModifiedError, no_grad
from tinytorch_compile import CaptureError, RecaptureWarning, compile
from tinytorch_layers import Dropout, Linear, Parameter, Sequential
from tinytorch_losses import mse_loss
from tinytorch_training import SGD, Adam


class Setting:
    """A small network with everything that can change between calls."""

    def __init__(self):
        self.scale = 2.0
        self.power = 2
        self.table = np.arange(3.0, dtype=np.float32)
        self.options = {"bias": True, "factors": [1.0, 2.0]}
        self.model = Sequential(
            Linear(3, 4, generator=0), ReLU(), Dropout(0.25, generator=1), Linear(4, 3, generator=2)
        )
        self.optimizer = Adam(self.model.parameters(), lr=0.01)
        self.rng = np.random.default_rng(3)

    def step(self, inputs, targets):
        out = self.model(inputs) * self.scale + self.table
        if self.options["bias"]:
            out = out + self.options["factors"][1]
        loss = mse_loss(out, targets) ** self.power
        if loss.item() > 1000:
            loss = loss * 0.5
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def batch(self, count, dtype):
        arrays = [self.rng.standard_normal((count, 3)).astype(dtype) for _ in range(2)]
        return [Tensor(array) for array in arrays]


def set_scale(s):
    s.scale += 0.5


def set_power(s):
    s.power = 3 - s.power


def set_bias(s):
    s.options["bias"] = not s.options["bias"]


def set_factor(s):
    s.options["factors"][1] = -s.options["factors"][1]


def write_table(s):
    s.table[1] += 1


def replace_table(s):
    s.table = s.table * 2


def switch_mode(s):
    s.model.train(not s.model.training)


def replace_parameter(s):
    s.model[0].weight = Parameter(np.ones((3, 4), np.float32))
    s.optimizer.param_groups[0]["params"] = list(s.model.parameters())


def replace_data(s):
    s.model[0].bias.data = s.model[0].bias.data + 1


def write_data(s):
    s.model[3].weight.data[0] = 0.5


def set_rate(s):
    s.optimizer.param_groups[0]["lr"] *= 0.5


def set_decay(s):
    s.optimizer.param_groups[0]["weight_decay"] = 0.1


def freeze(s):
    parameter = s.model[3].bias
    parameter.requires_grad_(not parameter.requires_grad)


def clear_gradients(s):
    s.optimizer.zero_grad()


def load_state(s):
    s.optimizer.load_state_dict(s.optimizer.state_dict())


def enlarge(s):
    for parameter in s.model.parameters():
        parameter.data *= 10


def draw(s):
    s.model[2].generator.random()


CHANGES = [set_scale, set_power, set_bias, set_factor, write_table, replace_table, switch_mode]
CHANGES += [replace_parameter, replace_data, write_data, set_rate, set_decay, freeze]
CHANGES += [clear_gradients, load_state, enlarge, draw]


def assert_equal(one, other):
    for (name, p), q in zip(one.model.named_parameters(), other.model.parameters(), strict=True):
        assert p.data.tobytes() == q.data.tobytes(), name
        assert (p.grad is None) == (q.grad is None), name
        assert p.grad is None or p.grad.tobytes() == q.grad.tobytes(), f"gradient of {name}"


def run(changes, sizes, dtypes):
    """Apply changes before the calls of an eager and a compiled step, and compare them."""
    eager, other = Setting(), Setting()
    step = compile(other.step)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RecaptureWarning)
        for change, size, dtype in zip(changes, sizes, dtypes, strict=True):
            if change is not None:
                change(eager)
                change(other)
            expected = eager.step(*eager.batch(size, dtype))
            found = step(*other.batch(size, dtype))
            assert found.data.tobytes() == expected.data.tobytes()
            assert_equal(other, eager)
    return step


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_calls(change):
    changes = [None] * 4 + [change] + [None] * 4 + [change] + [None] * 3
    step = run(changes, [4] * 13, [np.float32] * 13)
    assert step.compiled is not None


def test_plugins_that_are_toggled():
    @compile
    def double(x):
        return x * 2

    for _ in range(4):
        assert double(Tensor([1.0])).tolist() == [2.0]
    with plugins.disable("autograd"):
        for _ in range(4):
            assert double(Tensor([1.0])).tolist() == [2.0]
    assert double(Tensor([1.0])).tolist() == [2.0]


def test_recording_that_is_turned_off():
    w = Tensor([1.0], requires_grad=True)

    @compile
    def tracked(x):
        return (w * x).requires_grad

    for _ in range(4):
        assert tracked(np.ones(1))
    with no_grad():
        for _ in range(4):
            assert not tracked(np.ones(1))


def test_hooks_that_are_added():
    w = Tensor([1.0], requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    for _ in range(4):
        step(np.ones(1, np.float32))
    w.register_hook(lambda grad: grad * 10)
    for _ in range(4):
        step(np.ones(1, np.float32))
        assert w.grad.tolist() == [10]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_graph_that_needs_what_a_step_overwrites_is_an_error(compiled):
    w = Parameter([1.0, 2.0])
    optimizer = SGD([w], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    step = compile(step, strict=True) if compiled else step
    x = np.ones(2, np.float32)
    for _ in range(4):
        step(x)
    before, squares = (w * x).sum(), (w * w).sum()
    step(x)
    after = (w * w).sum()
    before.backward()  # needs x only
    after.backward()
    with pytest.raises(ModifiedError, match=r"in step\n"):
        squares.backward()


def test_an_argument_that_is_a_parameter():
    w = Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.data -= x
        return w.data + x

    compiled = compile(step)
    for _ in range(4):
        compiled(np.zeros(2, np.float32))
    with pytest.warns(RecaptureWarning, match="shares memory with the state"):
        assert compiled(w.data).tolist() == [0, 0]


def test_a_global_name_that_changes():
    namespace = {"factor": 2, "np": np, "__name__": "__main__"}
    exec("def times(x):\n    return x * factor\n", namespace)
    times = compile(namespace["times"], strict=True)
    for factor in (2, 2, 2, 3, 3, 3, 4):
        namespace["factor"] = factor
        assert times(np.ones(1)).tolist() == [factor]


def test_a_variable_of_an_enclosing_function_that_changes():
    factor = 2

    @compile(strict=True)
    def times(x):
        return x * factor

    for factor in (2, 2, 2, 3, 3, 3, 4):
        assert times(np.ones(1)).tolist() == [factor]


def test_too_many_captures_warn_and_run_the_step_itself():
    double = compile(lambda x: x * 2)
    with pytest.warns(RecaptureWarning, match="captured 8 times"):
        found = [double(np.ones(size)).tolist() for size in range(1, 12)]
    assert found == [[2] * size for size in range(1, 12)]


def test_threads_do_not_disturb_each_other():
    @compile
    def add(x):
        for _ in range(50):
            x = x + 1
        return x

    wrong = []

    def work(value):
        for _ in range(200):
            if add(np.full(3, value)).tolist() != [value + 50.0] * 3:
                wrong.append(value)

    add(np.zeros(3))
    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Printing:
    def __call__(self, x):
        y = x * 2
        print(f"{y}")
        return y


class Keeping:
    def __init__(self):
        self.kept = []

    def __call__(self, x):
        self.kept.append(x * 2)
        return self.kept[-1]


def caching(x):
    vars(plugins)["_kept_by_a_test"] = x * 2
    return x * 3


def converting(x):
    return np.asarray(x) * 2


REFUSED = {
    "printing": (Printing(), "text of an array"),
    "keeping an array": (Keeping(), "adds or removes"),
    "an array that stays behind": (caching, r"test_guards\.py:\d+: this array is still referred"),
    "converting": (converting, "np.asarray"),
    "a result with a graph": (
        lambda x: Tensor([1.0], requires_grad=True) * x,
        "still can be differentiated",
    ),
    "another result": (lambda x: object(), "returns a object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured_is_an_error_if_strict(name, monkeypatch):
    monkeypatch.setattr(plugins, "_kept_by_a_test", None, raising=False)
    step, message = REFUSED[name]
    compiled = compile(step, strict=True)
    with pytest.raises(CaptureError, match=message):
        _ = [compiled(np.ones(1, np.float32)) for _ in range(5)]


@pytest.mark.parametrize("name", ["printing", "converting"])
def test_the_error_names_the_line(name):
    step, _ = REFUSED[name]
    with pytest.raises(CaptureError, match=r"test_guards\.py:\d+: "):
        compile(step, strict=True)(np.ones(1))


def test_otherwise_the_step_runs_as_it_is(capsys):
    printing = compile(Printing())
    with pytest.warns(RecaptureWarning, match="text of an array"):
        assert printing(np.ones(1)).tolist() == [2]
    assert printing(np.ones(1)).tolist() == [2]
    assert capsys.readouterr().out == "[2.]\n[2.]\n"
    assert "text of an array" in printing.reason


def test_an_error_of_the_step_is_raised_and_leaves_its_state():
    layer = Linear(3, 2, generator=0)
    optimizer = SGD(layer.parameters(), lr=0.1)

    @compile(strict=True)
    def step(x):
        optimizer.zero_grad()
        layer(x).sum().backward()
        optimizer.step()

    with pytest.raises(ValueError, match="shape"):
        step(Tensor(np.ones((2, 5), np.float32)))
    weight = layer.weight.data.copy()
    for _ in range(3):
        step(Tensor(np.zeros((2, 3), np.float32)))
    assert np.array_equal(layer.weight.data, weight)


def test_a_hidden_number_is_refused_by_line():
    step = compile(lambda x: x * time.perf_counter(), strict=True)
    with pytest.raises(CaptureError, match=r"test_guards\.py:\d+: an argument of multiply"):
        _ = [step(np.ones(2)) for _ in range(4)]


def test_an_iterator_is_refused():
    counter = iter(range(100))
    step = compile(lambda x: x * next(counter))
    with pytest.warns(RecaptureWarning, match="counter is a range_iterator"):
        assert [step(np.ones(1)).item() for _ in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("draw", [lambda: np.random.rand(), random.random])  # noqa: NPY002
def test_a_draw_from_a_global_generator_is_refused(draw):
    def seed():
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)

    seed()
    expected = [draw() for _ in range(4)]
    seed()
    step = compile(lambda x: x * draw())
    with pytest.warns(RecaptureWarning, match="global generator"):
        assert [step(np.ones(1)).item() for _ in range(4)] == expected


def test_an_interrupted_capture_leaves_the_state_as_it_was():
    s = Setting()
    reached = []

    def step(inputs, targets):
        s.step(inputs, targets)
        if not isinstance(s.model[0].weight.data, np.ndarray):
            reached.append(None)
            raise KeyboardInterrupt

    before = [p.data for p in s.model.parameters()]
    values = [array.copy() for array in before]
    with pytest.raises(KeyboardInterrupt):
        compile(step)(*s.batch(4, np.float32))
    after = [p.data for p in s.model.parameters()]
    assert all(a is b for a, b in zip(after, before, strict=True))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(after, values, strict=True))
    assert all(p.grad is None for p in s.model.parameters())
    assert reached == []  # the interrupt came before, or the list was restored


def test_threads_that_capture_at_the_same_time():
    steps = [compile(lambda x, i=i: np.exp(x) * i) for i in range(4)]
    wrong = []

    def work(step, i):
        for size in range(1, 30):
            if not np.array_equal(step(np.ones(size % 5 + 1)), np.exp(np.ones(size % 5 + 1)) * i):
                wrong.append((i, size))

    threads = [threading.Thread(target=work, args=(step, i)) for i, step in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_another_thread_may_print_while_a_step_is_captured(capsys):
    def step(x):
        thread = threading.Thread(target=print, args=("from another thread",))
        thread.start()
        thread.join()
        return x * 2

    compiled = compile(step, strict=True)
    assert compiled(np.ones(1)).tolist() == [2]
    assert "from another thread" in capsys.readouterr().out


@pytest.mark.parametrize("effect", ["print", "log", "warn"])
def test_effects_that_a_replay_would_not_have_are_refused(effect, caplog):
    effects = {
        "print": lambda: print("called"),
        "log": lambda: logging.getLogger("a test").warning("called"),
        "warn": lambda: warnings.warn("called", stacklevel=1),
    }
    do = effects[effect]
    step = compile(lambda x: (do(), x * 2)[1], strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(CaptureError, match="which a replay would not do"):
            step(np.ones(1))
    assert not caplog.records


def test_an_error_in_a_replay_is_raised_by_the_step():
    total = np.zeros(1)

    def step(x, indices):
        total[...] += 1
        return x[indices]

    compiled = compile(step, strict=True)
    for _ in range(4):
        compiled(np.ones(3), np.array([0, 2]))
    with pytest.raises(IndexError) as raised:
        compiled(np.ones(3), np.array([0, 7]))
    assert raised.traceback[-1].name == "step"
    assert total == 5
    assert compiled(np.ones(3), np.array([0, 2])).tolist() == [1, 1]
    assert total == 6
