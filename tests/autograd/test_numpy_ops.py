"""NumPy functions that are not methods of Tensor are ordinary ops, created on first use."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins
from tinytorch_core.cli import main

import tinytorch_autograd
from tinytorch_autograd import AnomalyError, Function, NoRuleError, detect_anomaly, grad
from tinytorch_autograd.debug.numerical import check_derivative

from .cases import DESCRIBED, naming

# One call of each function.
CASES = [next(d.cases()) for d in DESCRIBED if d.shapes]
MATRIX = np.array([[3.0, 1.0], [0.5, 2.0]])


class Log:
    """Records which ops and rules a plugin wraps, and which of them run."""

    def __init__(self, stage):
        self.stage = stage
        self.wrapped, self.ran = [], []

    def plugin(self):
        @hookimpl(stage=self.stage)
        def tinytorch_wrap_op(op, call):
            self.wrapped.append(("op", op.name, op.inputs))

            def logged(*args, **kwargs):
                self.ran.append(op.name)
                return call(*args, **kwargs)

            return logged

        @hookimpl(optionalhook=True)
        def tinytorch_wrap_backward(op, call):
            self.wrapped.append(("rule", op.name, op.inputs))

            def logged(node, gradient):
                self.ran.append(f"{op.name} backward")
                return call(node, gradient)

            return logged

        return SimpleNamespace(
            tinytorch_wrap_op=tinytorch_wrap_op, tinytorch_wrap_backward=tinytorch_wrap_backward
        )

    def clear(self):
        self.wrapped.clear()
        self.ran.clear()


@pytest.fixture(params=["inside", "outside"])
def log(request):
    """Register a plugin that wraps ops inside or outside of autograd, and return its log."""
    log = Log(request.param)
    plugins.register(log.plugin(), name="log")
    log.clear()
    yield log
    plugins.unregister("log")


def tracked(array=MATRIX):
    return Tensor(array, requires_grad=True)


def inverse_gradient(array):
    """Return the gradient of the sum of the inverse, by the formula -x^-T 1 x^-T."""
    transposed = np.linalg.inv(array).T
    return -transposed @ np.ones_like(array) @ transposed


def graph(node):
    """Return the nodes on which a node depends, and the node itself."""
    inputs = [n for n in node.next_functions if isinstance(n, Function)]
    return [node, *(n for i in inputs for n in graph(i))]


def ops_of(tensor):
    return {node.op.name for node in graph(tensor.grad_fn) if hasattr(node, "op")}


class TestWrapping:
    def test_an_op_and_its_rule_are_wrapped_once_and_run_under_their_name(self, log):
        for _ in range(2):
            log.ran.clear()
            x = tracked()
            np.linalg.inv(x).sum().backward()
            assert log.ran == ["linalg.inv", "sum", "sum backward", "linalg.inv backward"]
            np.testing.assert_allclose(x.grad, inverse_gradient(MATRIX))
        found = [entry for entry in log.wrapped if entry[1] == "linalg.inv"]
        # Wrapped as an op it takes NumPy's own arguments; its rule has inputs.
        assert found == [("op", "linalg.inv", ()), ("rule", "linalg.inv", ("a",))]

    def test_untracked_tensors_run_the_wrapped_op(self, log):
        np.testing.assert_allclose(np.linalg.inv(Tensor(MATRIX)).data, np.linalg.inv(MATRIX))
        assert log.ran == ["linalg.inv"]
        assert [kind for kind, name, _ in log.wrapped if name == "linalg.inv"] == ["op"]

    def test_second_derivatives_are_recorded_as_ops(self, log):
        x = tracked()
        slope = grad(np.linalg.inv(x).sum(), x, create_graph=True)
        assert {"linalg.inv", "linalg.inv backward"} <= set(log.ran)
        assert {"linalg.inv", "matmul", "swapaxes"} <= ops_of(slope)
        check_derivative(np.linalg.inv, [MATRIX], 2)

    def test_the_parts_of_a_composition_run_under_their_names(self, log):
        x = tracked()
        out = np.linalg.cond(x)
        assert {"linalg.svd", "div"} <= set(log.ran)
        assert {"linalg.svd", "div"} <= ops_of(out)
        out.backward()
        assert {"linalg.svd backward", "div backward"} <= set(log.ran)
        check_derivative(np.linalg.cond, [MATRIX], 1)

    @pytest.mark.parametrize(
        "function",
        [np.linalg.multi_dot, np.vstack],
        ids=["multi_dot", "vstack"],
    )
    def test_functions_of_a_sequence(self, log, function):
        x, y = tracked(), tracked(MATRIX.T)
        out = function([x, y])
        np.testing.assert_allclose(out.data, function([MATRIX, MATRIX.T]))
        assert log.ran
        check_derivative(lambda a, b: function([a, b]), [MATRIX, MATRIX.T], 1)

    @pytest.mark.parametrize("log", ["inside"], indirect=True)
    def test_wrappers_leave_derivatives_unchanged(self, log):
        for case in CASES:
            log.clear()
            with naming(case):
                check_derivative(case.function, case.arrays, 1)
                assert log.ran


class TestNodes:
    def test_the_class_of_the_nodes_is_named_after_the_function(self):
        node = np.linalg.inv(tracked()).grad_fn
        assert type(node) is tinytorch_autograd.InvBackward
        assert repr(node) == "<InvBackward>"
        assert (node.op.name, node.op.inputs, node.op.provider) == ("linalg.inv", ("a",), "NumPy")
        assert "InvBackward" in dir(tinytorch_autograd)

    def test_an_unknown_function_raises_in_backward(self):
        _, edges = np.histogram(tracked([1.0, 2.0]))
        with pytest.raises(NoRuleError, match=r"^np\.histogram, of NumPy, was applied"):
            edges.sum().backward()


class TestDetectAnomaly:
    def test_a_nan_that_the_function_received(self):
        with detect_anomaly(), pytest.raises(AnomalyError, match=r"^linalg\.inv received nan, "):
            np.linalg.inv(tracked([[np.nan, 0.0], [0.0, 1.0]]))

    def test_an_inf_from_the_backward_pass(self):
        message = r"the backward pass of linalg\.inv produced -inf at element \(0, 0\) .* input 'a'"
        with detect_anomaly():
            out = np.linalg.inv(tracked(np.diag([1e-200, 1.0])))
            with pytest.raises(AnomalyError, match=message):
                out.sum().backward()


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("np.linalg.inv", ["linalg.inv(a)", "NumPy ", "rule of autograd"]),
        ("linalg.cond", ["linalg.cond(x, p=None)", "NumPy ", "composed of other ops"]),
        ("np.add.reduce", ["add.reduce(", "NumPy ", "composed of other ops"]),
        ("multiply.outer", ["multiply.outer(", "NumPy ", "composed of other ops"]),
        ("np.setdiff1d", ["setdiff1d(ar1, ar2", "NumPy ", "no rule: backward() raises"]),
    ],
)
def test_the_command_describes_the_op(name, facts, capsys, log):
    description = described_by_the_command(name, capsys)
    assert description["signature"].startswith(facts[0])
    assert description["provider"].startswith(facts[1])
    assert description["derivative"] == facts[2]
    assert_wrapped_by_both(description, log)


def assert_wrapped_by_both(description, log):
    """Check that the command lists both plugins, the innermost first."""
    both = ["autograd (recording)", f"log ({log.stage})"]
    in_order = both if log.stage == "outside" else both[::-1]
    assert description["wrapped by"] == ", ".join(in_order)


def described_by_the_command(name, capsys):
    """Return what `tinytorch ops` prints about an op, by label."""
    assert main(["ops", name]) == 0
    facts = capsys.readouterr().out.partition("\n\n")[0].splitlines()[1:]
    return dict(re.split("  +", line.strip(), maxsplit=1) for line in facts)


@pytest.mark.parametrize("name", ["mul", "linalg.inv"])
def test_the_command_lists_each_plugin_that_wraps_an_op_once(name, capsys, log):
    (np.linalg.inv(tracked()) * 2).sum().backward()
    assert_wrapped_by_both(described_by_the_command(name, capsys), log)


def test_tanh_is_one_op_with_and_without_activations():
    for active in (plugins.disable("activations"), plugins.enable("activations")):
        with active:
            # Other tests may have called np.tanh with options that only NumPy's function has.
            ops = [op for op in plugins.surface().ops.values() if not op.numpy_call]
            (tanh,) = [op for op in ops if "tanh" in (op.name, *op.methods) or np.tanh in op.numpy]
            assert (tanh.name, tanh.provider) == ("tanh", "tinytorch-core")


PROGRAM = """
import sys
import numpy as np
from tinytorch_core import Tensor
import tinytorch_autograd

x = Tensor([[2.0]], requires_grad=True)
before = set(sys.modules)
y = np.linalg.inv(x)
print(sorted(set(sys.modules) - before))
from tinytorch_autograd import InvBackward
print(type(y.grad_fn) is InvBackward)
"""


def test_the_first_use_imports_only_the_module_of_the_rule():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == "['tinytorch_autograd.rules.inverses']\nTrue\n", done.stderr
