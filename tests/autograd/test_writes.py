"""A backward pass raises if an array that it needs was written into through a Tensor."""

import gc
import inspect
import threading
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import (
    GradientTape,
    ModifiedError,
    checkpoint,
    custom_gradient,
    detect_anomaly,
    func,
    grad,
    no_grad,
    writes,
)
from tinytorch_layers import BatchNorm1d, Linear, Sequential
from tinytorch_training import SGD, Adam, clip_grad_norm

from .cases import by_function, naming
from .checks import tracked


def untracked(data):
    return Tensor(np.array(data, np.float64))


def line_of(text):
    """Return the line number of `text  # here` in this file."""
    for number, line in enumerate(inspect.getsource(inspect.getmodule(line_of)).splitlines(), 1):
        if line.strip().startswith(text) and line.endswith("# here"):
            return number
    raise AssertionError(text)


def set_item(x):
    x[0] = 100


def set_row_with_array(x):
    x[np.array([0])] = 100


def subtract(x):
    x -= 1


def write_to_detached(x):
    x.detach()[0] = 5


def write_to_view(x):
    flat = x.detach().reshape(-1)
    flat += 1


def write_to_transposed(x):
    x.detach().T[...] = 7


WRITES = {
    "x[0] = 100": set_item,
    "x[array] = 100": set_row_with_array,
    "x -= 1": subtract,
    "x.detach()[0] = 5": write_to_detached,
    "a reshaped view": write_to_view,
    "a transposed view": write_to_transposed,
    "out=": lambda x: np.add(x, 1, out=x),
    "out= by position": lambda x: np.round(x, 0, x),
    "out= of two outputs": lambda x: np.modf(x, out=(x, None)),
    "out= of a reduction": lambda x: np.add.accumulate(x, out=x),
    "np.copyto": lambda x: np.copyto(x, np.zeros(2)),
    "np.copyto by name": lambda x: np.copyto(dst=x, src=np.zeros(2)),
    "np.put": lambda x: np.put(x, [0], [9]),
    "np.place": lambda x: np.place(x, x > 0, [9]),
    "np.putmask": lambda x: np.putmask(x, x > 0, 9),
    "np.put_along_axis": lambda x: np.put_along_axis(x, np.array([0]), 9, 0),
    "np.add.at": lambda x: np.add.at(x, [0], 9),
    "np.nan_to_num": lambda x: np.nan_to_num(x, copy=False),
    "np.nan_to_num by position": lambda x: np.nan_to_num(x, False),
    "np.median": lambda x: np.median(x, overwrite_input=True),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writing_into_a_saved_array_raises(write):
    x = tracked([3.0, 4.0])
    y = (x * x).sum()
    with no_grad():
        write(x)
    with pytest.raises(ModifiedError, match=r"shape \(2,\) that mul had saved as 'x'"):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writing_before_and_after_is_allowed(write):
    x = tracked([3.0, 4.0])
    with no_grad():
        write(x)
    expected = 2 * x.data
    (x * x).sum().backward()
    with no_grad():
        write(x)
    np.testing.assert_array_equal(x.grad, expected)


def test_an_untracked_buffer_that_a_loop_overwrites():
    x, w, loss = tracked([3.0, 4.0]), untracked([0.0, 0.0]), 0
    for i in range(3):
        w[:] = i
        loss = loss + (x * w).sum()
    with pytest.raises(ModifiedError, match=r"mul had saved as 'y'"):
        loss.backward()


def test_an_intermediate_result():
    x = tracked([3.0, 4.0])
    h = np.exp(x)
    with no_grad():
        h += 1
    with pytest.raises(ModifiedError, match=r"exp had saved as 'out'"):
        h.sum().backward()


def test_an_index():
    x, index = tracked([3.0, 4.0]), Tensor(np.array([0, 0]))
    y = x[index].sum()
    index[:] = 1
    with pytest.raises(ModifiedError, match=r"getitem had saved as 'index'"):
        y.backward()


def test_an_operand_of_an_op_with_any_number_of_inputs():
    x, y = tracked([[1.0, 2.0]]), untracked([[3.0], [4.0]])
    z = np.linalg.multi_dot([x, y, x, y])
    y[0] = 0
    with pytest.raises(ModifiedError, match="multi_dot"):
        z.backward()


def test_an_op_with_several_outputs():
    x = tracked([[2.0, 1.0], [1.0, 3.0]])
    q, r = np.linalg.qr(x)
    with no_grad():
        q[0, 0] = 7
    with pytest.raises(ModifiedError, match="qr"):
        r.sum().backward()


def test_the_message_names_the_lines():
    x = tracked([3.0, 4.0])
    y = (x * x).sum()
    with no_grad():
        x[0] = 100  # here
    with pytest.raises(ModifiedError, match=r"detect_anomaly\(\)") as caught:
        y.backward()
    caught.match(f'{__file__}", line {line_of("x[0] = 100")}, in test_the_message_names_the_lines')
    caught.match(r"\n    x\[0\] = 100")


def test_anomaly_detection_adds_the_line_of_the_op():
    x = tracked([3.0, 4.0])
    with detect_anomaly():
        y = (x * x).sum()  # here
    with no_grad():
        x *= 2
    with pytest.raises(ModifiedError, match=rf"mul ran here:\n.*line {line_of('y = (x * x)')}"):
        y.backward()


def test_anomaly_detection_finds_writes_outside_of_tensors():
    x = tracked([3.0, 4.0])
    with detect_anomaly():
        y = (x * x).sum()
    x.data[0] = 100
    with pytest.raises(ModifiedError, match="mul had saved as 'x'"):
        y.backward()


def test_a_failed_pass_leaves_the_graph_and_an_undo_does_not_help():
    x = tracked([3.0, 4.0])
    h = x * x
    y = (h * 2).sum()
    with no_grad():
        x += 1
    for _ in range(2):
        with pytest.raises(ModifiedError):
            y.backward()
    np.testing.assert_array_equal(grad(y, h).data, [2, 2])  # needs only the constant 2


WAYS = {
    "grad": lambda y, x: grad(y.sum(), x),
    "create_graph": lambda y, x: grad(y.sum(), x, create_graph=True),
    "apply": lambda y, x: y.grad_fn.apply(np.ones(2)),
    "apply to a Tensor": lambda y, x: y.grad_fn.apply(untracked([1.0, 1.0])),
    "backward with a gradient": lambda y, x: y.backward(np.ones(2)),
}


@pytest.mark.parametrize("differentiate", WAYS.values(), ids=WAYS)
def test_every_way_to_differentiate(differentiate):
    x = tracked([3.0, 4.0])
    y = x * x
    with no_grad():
        x += 1
    with pytest.raises(ModifiedError):
        differentiate(y, x)


def test_a_second_derivative():
    x = tracked([3.0, 4.0])
    slope = grad((x**3).sum(), x, create_graph=True)
    with no_grad():
        x += 1
    with pytest.raises(ModifiedError):
        slope.sum().backward()


def test_a_tape_and_a_transform():
    x = untracked([3.0, 4.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = (x * x).sum()
    x += 1
    with pytest.raises(ModifiedError):
        tape.gradient(y, x)

    def f(x):
        y = (x * x).sum()
        with no_grad():
            x += 1
        return y

    with pytest.raises(ModifiedError):
        func.grad(f)(np.array([3.0, 4.0]))


@pytest.mark.parametrize("which", range(3))
def test_what_a_checkpoint_depends_on(which):
    x, weight, mask = tracked([3.0, 4.0]), tracked([1.0, 2.0]), untracked([1.0, -1.0])
    y = checkpoint(lambda x, mask: x * weight * mask, x, mask).sum()
    with no_grad():
        (x, weight, mask)[which][:] *= -1  # the sum of absolute values stays the same
    with pytest.raises(ModifiedError, match="checkpoint_lambda"):
        y.backward()


@pytest.mark.parametrize("which", range(2))
def test_what_a_custom_gradient_depends_on(which):
    @custom_gradient
    def exp(x):
        value = np.exp(x)
        return value, lambda grad: grad * value

    x = tracked([3.0, 4.0])
    y = exp(x)
    loss = y.sum()
    with no_grad():
        (x, y)[which][:] *= 2
    with pytest.raises(ModifiedError):
        loss.backward()


def test_a_hook_that_writes_during_the_pass():
    x = tracked([3.0, 4.0])
    h = x * x

    def hook(grad):
        with no_grad():
            x[0] = 100

    h.register_hook(hook)
    with pytest.raises(ModifiedError):
        (h * 2).sum().backward()


def test_a_hook_may_update_what_the_pass_no_longer_needs():
    x, w = tracked([3.0, 4.0]), tracked([5.0, 6.0])
    h = x * x

    def hook(grad):
        with no_grad():
            w[:] = 0

    h.register_hook(hook)
    (h * w).sum().backward()
    np.testing.assert_array_equal(x.grad, [30, 48])


class TestNotNeeded:
    """Writes into arrays that the gradient does not depend on."""

    def test_ops_that_save_nothing(self):
        x, y = tracked([3.0, 4.0]), untracked([1.0, 2.0])
        z = (x + y).reshape(2, 1).sum()
        with no_grad():
            x += 1
            y += 1
        z.backward()
        np.testing.assert_array_equal(x.grad, [1, 1])

    def test_the_tracked_factor_of_a_product(self):
        x, w = tracked([3.0, 4.0]), untracked([1.0, 2.0])
        y = (x * w).sum()
        with no_grad():
            x += 1
        y.backward()
        np.testing.assert_array_equal(x.grad, [1, 2])

    @pytest.mark.parametrize("other", [np.s_[1], np.s_[1:], np.s_[:0], np.s_[np.int64(1)]])
    def test_other_rows(self, other):
        x, rows = tracked([3.0, 4.0]), untracked([[1.0, 2.0], [5.0, 6.0]])
        y = (x * rows[0]).sum()
        rows[other] = 7
        y.backward()
        np.testing.assert_array_equal(x.grad, [1, 2])

    def test_other_columns_and_rows_written_one_by_one(self):
        x, table, loss = tracked([3.0, 4.0]), untracked(np.zeros((2, 3))), 0
        for i in range(3):
            table[:, i] = i
            loss = loss + (x * table[:, i]).sum()
        loss.backward()
        np.testing.assert_array_equal(x.grad, [3, 3])

    def test_the_same_row_again(self):
        x, rows = tracked([3.0, 4.0]), untracked([[1.0, 2.0], [5.0, 6.0]])
        y = (x * rows[0]).sum()
        rows[1] = 7
        rows[0] = 7
        rows[1] = 8
        with pytest.raises(ModifiedError):
            y.backward()

    def test_an_array_that_was_replaced(self):
        x = tracked([3.0, 4.0])
        y = (x * x).sum()
        x.data = np.zeros(2)
        with no_grad():
            x += 1
        y.backward()
        np.testing.assert_array_equal(x.grad, [6, 8])

    def test_a_write_that_failed(self):
        x = tracked([3.0, 4.0])
        y = (x * x).sum()
        with no_grad(), pytest.raises(ValueError, match="broadcast"):
            x[:] = [1.0, 2.0, 3.0]
        y.backward()
        np.testing.assert_array_equal(x.grad, [6, 8])


def test_writing_into_many_parts_counts_as_writing_into_all():
    x, values = tracked(2.0), untracked(np.ones(5000))
    y = (x * values[:2]).sum()
    kept = (x * values[4999:]).sum()
    for i in range(2000):
        values[2 + i] = 0
    with pytest.raises(ModifiedError):
        kept.backward()
    values[:2] = 1
    with pytest.raises(ModifiedError):
        y.backward()


class TestTraining:
    def setup_method(self):
        rng = np.random.default_rng(0)
        self.x, self.y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
        self.model = Sequential(Linear(3, 4), BatchNorm1d(4), Linear(4, 1))

    @pytest.mark.parametrize("kind", [SGD, Adam])
    def test_a_step_between_two_passes_raises(self, kind):
        optimizer = kind(self.model.parameters(), lr=0.1)
        out = self.model(Tensor(self.x))
        (out**2).mean().backward(retain_graph=True)
        optimizer.step()  # here
        with pytest.raises(ModifiedError) as caught:
            np.abs(out).mean().backward()
        caught.match(
            rf"line {line_of('optimizer.step()')}, in test_a_step_between_two_passes_raises"
        )

    def test_loops_do_not_raise(self):
        optimizer = SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        averages = [untracked(p.data) for p in self.model.parameters()]
        total = untracked(0.0)
        for _ in range(3):
            for _ in range(2):  # accumulates gradients
                loss = ((self.model(Tensor(self.x)) - self.y) ** 2).mean()
                loss.backward()
                total += loss.item()
            clip_grad_norm(self.model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            with no_grad():
                for parameter, average in zip(self.model.parameters(), averages, strict=True):
                    np.clip(parameter, -1, 1, out=parameter)
                    average *= 0.9
                    average += 0.1 * parameter
            self.model.load_state_dict(self.model.state_dict())

    def test_a_gan_in_the_usual_order_does_not_raise(self):
        generator, judge = Linear(2, 3), Linear(3, 1)
        of_generator = Adam(generator.parameters())
        of_judge = Adam(judge.parameters())
        for _ in range(3):
            fake = generator(Tensor(self.x[:, :2]))
            (judge(fake.detach()).mean() - judge(Tensor(self.x)).mean()).backward()
            of_judge.step()
            (-judge(fake).mean()).backward()
            of_generator.step()
            of_generator.zero_grad()
            of_judge.zero_grad()

    def test_a_linear_layer_saves_its_weight_only_for_a_tracked_input(self):
        layer = Linear(3, 1)
        optimizer = SGD(layer.parameters(), lr=0.1)
        out = layer(Tensor(self.x))
        (out**2).mean().backward(retain_graph=True)
        optimizer.step()
        out.sum().backward()


def test_nothing_is_kept_alive():
    x = tracked(np.ones(3))
    buffer = untracked(np.ones(3))
    owner = id(buffer.data)
    y = x * buffer
    buffer[1:] = 2
    buffer *= 3
    assert owner in writes._memories
    array, node = weakref.ref(buffer.data), weakref.ref(y.grad_fn)
    gc.disable()
    try:
        del buffer, y
        assert array() is None
        assert node() is None
    finally:
        gc.enable()
    assert owner not in writes._memories


def test_threads_write_and_differentiate_at_once():
    found = []

    def run():
        for i in range(200):
            x, w = tracked([1.0, 2.0]), untracked([1.0, 1.0])
            y = (x * w).sum()
            if i % 2:
                w[0] = 5
            try:
                y.backward()
                found.append(i % 2 == 0)
            except ModifiedError:
                found.append(i % 2 == 1)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 800


CALLS = by_function(lambda described: described.cases())


def gradients_after(case, write):
    """Return the gradients of a case if `write(inputs, output)` runs before the backward pass."""
    inputs = [Tensor(a, requires_grad=True) for a in case.arrays]
    output = case.function(*inputs)
    loss = (output * np.arange(1, 1 + output.size).reshape(output.shape)).sum().real
    with no_grad():
        write(inputs, output)
    found = grad(loss, inputs, allow_unused=True)
    return [None if g is None else g.data for g in found]


def write_into_input(index):
    def write(inputs, output):
        inputs[index][...] = 0.5

    return write


def write_into_output(inputs, output):
    output[...] = 0.5


@pytest.mark.parametrize("name", CALLS)
def test_every_op_raises_or_has_the_gradient_of_the_values_before_the_write(name):
    for case in CALLS[name]:
        with naming(case):
            expected = gradients_after(case, lambda inputs, output: None)
            for write in (*map(write_into_input, range(len(case.arrays))), write_into_output):
                try:
                    found = gradients_after(case, write)
                except ModifiedError:
                    continue
                for f, e in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(f, e)
