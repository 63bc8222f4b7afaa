"""detect_anomaly shows the line that produced the first nan or inf, and wraps no op while off."""

import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, plugins

from tinytorch_autograd import (
    AnomalyError,
    GradientTape,
    MulBackward,
    checkpoint,
    detect_anomaly,
    func,
    grad,
    no_grad,
)

from .checks import tracked


def line_of(text):
    """Return the line number of `text  # here` in this file."""
    for number, line in enumerate(inspect.getsource(inspect.getmodule(line_of)).splitlines(), 1):
        if line.strip().startswith(text) and line.endswith("# here"):
            return number
    raise AssertionError(text)


def with_log(x):
    y = x * 2
    z = np.log(y)  # here
    return (z * z).sum()


def with_root(x):
    root = np.sqrt(x)  # here
    return root.sum()


def with_exponential(x):
    return np.exp(x * 1000.0).sum()  # here


def with_difference(x):
    big = x * np.inf  # inf computed from inf is allowed
    return (big - big).sum()  # here


FORWARD = {
    "log of 0": (
        with_log,
        [1.0, 0.0],
        "z = np.log(y)",
        ["log produced -inf", r"\(1,\)", "from 0 to 2"],
    ),
    "log of a negative number": (with_log, [-1.0, 1.0], "z = np.log(y)", ["log produced nan"]),
    "overflow": (
        with_exponential,
        [1.0],
        "return np.exp",
        ["exp produced inf", "from 1000 to 1000"],
    ),
    "inf - inf": (with_difference, [1.0], "return (big - big)", ["sub produced nan", "with inf"]),
}


@pytest.mark.parametrize("name", FORWARD)
def test_forward_errors_show_the_line(name):
    f, data, text, words = FORWARD[name]
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        f(tracked(data))
    for word in [*words, f'{__file__}", line {line_of(text)}, in {f.__name__}'.replace(".", r"\.")]:
        caught.match(word)
    caught.match(r"\n    " + text.split("(")[0])


def test_the_top_level_of_a_script_is_a_line_too(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from tinytorch_core import Tensor\n"
        "from tinytorch_autograd import detect_anomaly\n"
        "with detect_anomaly():\n"
        "    np.log(Tensor([0.0]))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert f'{script}", line 5, in <module>' in ran.stderr.partition("It ran here:")[2]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("inside", [True, False])
def test_backward_errors_show_the_line_of_the_forward_pass(create_graph, inside):
    x = tracked([4.0, 0.0])
    with detect_anomaly():
        y = with_root(x)
        if inside:
            with pytest.raises(AnomalyError, match="backward pass of sqrt") as caught:
                grad(y, x, create_graph=create_graph)
    if not inside:
        with pytest.raises(AnomalyError, match="backward pass of sqrt") as caught:
            grad(y, x, create_graph=create_graph)
    caught.match(rf"line {line_of('root = np.sqrt')}, in with_root")
    if not create_graph:
        caught.match(r"produced inf at element \(1,\) of the gradient of its input 'x'")


def test_errors_in_second_derivatives_show_the_line():
    x = tracked([1.0, 0.0])
    with detect_anomaly():
        slope = grad((x**1.5).sum(), x, create_graph=True)  # 1.5 sqrt(x)
        with pytest.raises(AnomalyError, match="test_errors_in_second_derivatives_show_the_line"):
            slope.sum().backward()


def test_nan_in_the_data_has_its_own_message():
    with (
        pytest.raises(AnomalyError, match=r"mul received nan, at element \(1,\)"),
        detect_anomaly(),
    ):
        with_log(tracked([1.0, np.nan]))


def test_masks_of_inf_and_finite_computations_are_allowed():
    x = tracked([1.0, 2.0])
    with detect_anomaly():
        masked = np.where([True, False], x, -np.inf)
        loss = np.exp(masked - np.max(masked)).sum() + np.isfinite(x).sum()
        loss.backward()
        empty = np.zeros((0, 2)) * Tensor(np.ones(2))
        assert empty.shape == (0, 2)
    assert x.grad is not None


class TestModifiedSavedArrays:
    def test_writing_into_a_saved_array_raises(self):
        x, w = tracked([1.0, 2.0]), tracked([3.0, 4.0])
        with detect_anomaly():
            y = (x * w).sum()  # here
            w.data[0] = 7
            with pytest.raises(AnomalyError, match=r"mul had saved as 'y'.*written into") as caught:
                y.backward()
        caught.match(rf"line {line_of('y = (x * w)')}")
        assert x.grad is None

    def test_an_optimizer_step_between_two_passes_raises(self):
        w = tracked([3.0])
        with detect_anomaly():
            y = w * w
            y.backward(retain_graph=True)
            with no_grad():
                w -= 0.1
            with pytest.raises(AnomalyError, match="written into"):
                grad(y, w, create_graph=True)

    def test_arrays_that_were_not_saved_may_change(self):
        x = tracked([1.0, 2.0])
        with detect_anomaly():
            y = (x + 1).sum()
            x.data[0] = 7
            y.backward()
        assert x.grad.tolist() == [1, 1]


def test_gradients_and_node_classes_do_not_change():
    def f(x):
        h = np.tanh(x @ x.T) * x[:, :1]
        return np.concatenate([h, x], axis=1).sum()

    x = tracked(np.random.default_rng(0).normal(size=(3, 2)))
    expected = [grad(f(x), x), func.hvp(f)(x.data, x.data)]
    with detect_anomaly():
        found = [grad(f(x), x), func.hvp(f)(x.data, x.data)]
        y = x * x
        assert isinstance(y.grad_fn, MulBackward)
        assert repr(y.grad_fn) == "<MulBackward>"
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_through_a_checkpoint_and_a_tape():
    x = tracked([4.0, 0.0])
    with detect_anomaly():
        y = checkpoint(with_root, x)
        with pytest.raises(AnomalyError, match="in with_root"):
            y.backward()
        with GradientTape() as tape:
            y = with_root(x)
        with pytest.raises(AnomalyError, match="in with_root"):
            tape.gradient(y, x)


def test_as_a_decorator():
    @detect_anomaly()
    def step(x):
        return with_log(x)

    assert step.__name__ == "step"
    with pytest.raises(AnomalyError):
        step(tracked([0.0]))
    with np.errstate(divide="ignore"):
        with_log(tracked([0.0]))


def test_a_decorated_function_may_run_in_two_threads_at_once():
    both_inside, one_outside = threading.Barrier(2, timeout=120), threading.Event()
    found = []

    @detect_anomaly()
    def step(first):
        both_inside.wait()
        assert first or one_outside.wait(120)
        with_log(tracked([0.0]))

    def run(first):
        try:
            step(first)
        except Exception as error:
            found.append(type(error))
        finally:
            one_outside.set()

    threads = [threading.Thread(target=run, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [AnomalyError, AnomalyError]


def test_ops_are_not_wrapped_while_it_is_off():
    before = Tensor.__mul__, Tensor.__bases__
    with detect_anomaly():
        assert Tensor.__mul__ is not before[0]
        with detect_anomaly():
            pass
        assert Tensor.__mul__ is not before[0]
    assert (Tensor.__mul__, Tensor.__bases__) == before


def test_it_is_off_after_an_error():
    before = Tensor.__bases__
    with pytest.raises(ZeroDivisionError), detect_anomaly():
        _ = 1 / 0
    assert Tensor.__bases__ == before


def test_other_threads_are_not_affected():
    entered, done = threading.Event(), threading.Event()
    found = []

    def other():
        entered.wait()
        try:
            with np.errstate(divide="ignore"):
                found.append(with_log(tracked([0.0])).item())
        finally:
            done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with detect_anomaly():
        entered.set()
        done.wait()
        with pytest.raises(AnomalyError):
            with_log(tracked([0.0]))
    thread.join()
    assert found == [np.inf]


def test_blocks_of_several_threads_may_overlap():
    before = Tensor.__bases__
    first, second = threading.Barrier(2), threading.Barrier(2)
    caught = []

    def work(early):
        with detect_anomaly():
            first.wait()
            if early:
                return second.wait()
            second.wait()
        with detect_anomaly():
            try:
                with_log(tracked([0.0]))
            except AnomalyError:
                caught.append(early)

    threads = [threading.Thread(target=work, args=(early,)) for early in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught == [False]
    assert Tensor.__bases__ == before


def test_a_subclass_with_gradients():
    class Tracked(Tensor):
        pass

    with detect_anomaly(), pytest.raises(AnomalyError, match="in with_log"):
        with_log(Tracked([0.0], requires_grad=True))


class TestConfiguration:
    def test_on_for_the_whole_program(self):
        seen = []

        def work():
            with pytest.raises(AnomalyError):
                with_log(tracked([0.0]))
            seen.append(True)

        with plugins.configure("autograd", detect_anomaly=True):
            work()
            with detect_anomaly():
                work()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        assert len(seen) == 3
        with np.errstate(divide="ignore"):
            with_log(tracked([0.0]))

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"detect_anomaly": "yes"}, "true or false, not 'yes'"),
            ({"detect": True}, "detect_anomaly"),
        ],
    )
    def test_wrong_settings_change_nothing(self, settings, words):
        before = Tensor.__bases__
        with pytest.raises(PluginError, match=words):
            plugins.configure("autograd", **settings)
        assert Tensor.__bases__ == before
        with detect_anomaly():
            pass
        assert Tensor.__bases__ == before

    def test_other_plugins_can_be_disabled_inside_a_block(self):
        with detect_anomaly(), plugins.disable("losses"):
            assert "losses" not in plugins.active()
        assert "losses" in plugins.active()
