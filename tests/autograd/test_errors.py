"""Invalid use raises the documented error with a helpful message, and changes nothing."""

import copy
import pickle
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from tinytorch_core import PluginError, Tensor, hookimpl, plugins

import tinytorch_autograd as autograd
from tinytorch_autograd import (
    AutogradError,
    GraphFreedError,
    InPlaceError,
    LostGradientError,
    NonScalarError,
    NoRuleError,
    UntrackedError,
    Variable,
    func,
    grad,
    no_grad,
)


class Scene:
    """Two leaves that have gradients, and a loss computed from them, not yet differentiated."""

    def __init__(self):
        self.x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
        self.w = Tensor(np.array([4.0, 5.0, 6.0]), requires_grad=True)
        (self.x * 10 + self.w * 20).sum().backward()
        self.y = self.x * self.w
        self.loss = self.y.sum()
        self.state = self.snapshot()

    def snapshot(self):
        tensors = (self.x, self.w, self.y, self.loss)
        grads = [(t.grad, None if t.grad is None else t.grad.tolist()) for t in (self.x, self.w)]
        return (
            [(t.tolist(), t.requires_grad, t.grad_fn, t.is_leaf) for t in tensors],
            [(id(array), values) for array, values in grads],
        )

    def check_unchanged(self):
        assert self.snapshot() == self.state
        self.loss.backward()
        assert self.x.grad.tolist() == [14.0, 15.0, 16.0]
        assert self.w.grad.tolist() == [21.0, 22.0, 23.0]


@pytest.fixture
def scene():
    return Scene()


def test_every_error_of_autograd_is_an_autograd_error():
    for kind in (NonScalarError, UntrackedError, GraphFreedError, NoRuleError, InPlaceError):
        assert issubclass(kind, AutogradError)
    assert issubclass(AutogradError, RuntimeError)


def without_rule(s):
    return np.setdiff1d(s.x, [0.0]).sum()


INVALID = {
    # name: a call, the error it raises, and patterns that its message must match
    "backward without a gradient on several elements": (
        lambda s: s.y.backward(),
        NonScalarError,
        [r"\(3,\)", "3 elements", r"sum\(\)", "gradient="],
    ),
    "grad of several elements": (lambda s: grad(s.y, s.x), NonScalarError, [r"\(3,\)"]),
    "backward of an untracked tensor": (
        lambda s: Tensor([[1.0]]).backward(),
        UntrackedError,
        [r"backward\(\)", r"\(1, 1\)", "requires_grad=True"],
    ),
    "grad of an untracked tensor": (lambda s: grad(Tensor([1.0]), s.x), UntrackedError, ["grad"]),
    "grad with respect to an untracked tensor": (
        lambda s: grad(s.loss, Tensor([[1.0, 2.0]])),
        UntrackedError,
        [r"\(1, 2\)"],
    ),
    "backward of a tensor computed without recording": (
        lambda s: no_grad()(lambda: s.x.sum())().backward(),
        UntrackedError,
        [r"no_grad\(\)"],
    ),
    "grad with respect to an unused tensor": (
        lambda s: grad(s.loss, [s.x, Variable([[1.0]])]),
        UntrackedError,
        [r"\(1, 1\)", "allow_unused=True"],
    ),
    "a gradient of another shape": (
        lambda s: s.y.backward(np.ones((3, 1))),
        ValueError,
        [r"\(3, 1\)", r"\(3,\)"],
    ),
    "a gradient that would broadcast": (
        lambda s: s.y.backward(np.ones(1)),
        ValueError,
        [r"\(1,\)", r"\(3,\)"],
    ),
    "fewer directions than outputs": (
        lambda s: grad([s.loss, s.y], s.x, [None]),
        ValueError,
        ["2 outputs need a sequence of as many grad_outputs, not of 1"],
    ),
    "requires_grad of integers": (
        lambda s: Tensor(np.array([1, 2]), requires_grad=True),
        TypeError,
        ["int64", "float"],
    ),
    "requires_grad_ of booleans": (
        lambda s: (s.x > 0).requires_grad_(),
        TypeError,
        ["bool", "float"],
    ),
    "a Variable of integers": (lambda s: Variable(np.array(1)), TypeError, ["int64"]),
    "requires_grad of a word": (
        lambda s: setattr(s.x, "requires_grad", "no"),
        TypeError,
        ["'no'", "True or False"],
    ),
    "a result that stops requiring grad": (
        lambda s: s.y.requires_grad_(False),
        AutogradError,
        ["MulBackward", r"detach\(\)"],
    ),
    "a gradient set to another shape": (
        lambda s: setattr(s.x, "grad", np.ones(2)),
        ValueError,
        [r"\(3,\)", r"\(2,\)"],
    ),
    "a gradient set to a number": (
        lambda s: setattr(s.x, "grad", 1.0),
        ValueError,
        [r"\(3,\)", "1.0"],
    ),
    "shapes that do not broadcast": (
        lambda s: s.x + Tensor([1.0, 2.0]),
        ValueError,
        ["add", r"\(3,\)", r"\(2,\)"],
    ),
    "matrices that do not fit": (
        lambda s: s.x @ np.ones((2, 4)),
        ValueError,
        ["matmul", r"\(3,\)", r"\(2, 4\)"],
    ),
    "backward through an op without a rule": (
        lambda s: (without_rule(s) * s.loss).backward(),
        NoRuleError,
        [r"np\.setdiff1d", "rule", r"detach\(\)"],
    ),
    "grad through an op without a rule": (
        lambda s: grad(without_rule(s), s.x),
        NoRuleError,
        [r"np\.setdiff1d", "tinytorch_register_backward"],
    ),
    "np.add to out": (lambda s: np.add(s.x, 1, out=s.x), InPlaceError, ["add"]),
    "np.multiply to an array": (
        lambda s: np.multiply(s.x, 2, out=np.zeros(3)),
        InPlaceError,
        ["multiply"],
    ),
    "np.add of arrays to a tracked tensor": (
        lambda s: np.add(np.ones(3), 1, out=s.x),
        InPlaceError,
        ["add"],
    ),
    "np.sum to out": (lambda s: np.sum(s.x, out=np.zeros(())), InPlaceError, ["sum"]),
    "np.round to out by position": (lambda s: np.round(s.x, 0, s.y), InPlaceError, ["np.round"]),
    "np.copyto": (lambda s: np.copyto(s.x, np.zeros(3)), InPlaceError, ["copyto"]),
    "np.copyto by name": (
        lambda s: np.copyto(dst=s.x, src=np.zeros(3)),
        InPlaceError,
        ["copyto"],
    ),
    "np.put": (lambda s: np.put(s.x, [0], [9]), InPlaceError, ["put"]),
    "np.nan_to_num": (lambda s: np.nan_to_num(s.x, copy=False), InPlaceError, ["nan_to_num"]),
    "np.putmask": (lambda s: np.putmask(s.x, s.x > 0, 9), InPlaceError, ["putmask"]),
    "np.place": (lambda s: np.place(s.x, s.x > 0, [9]), InPlaceError, ["place"]),
    "np.fill_diagonal": (
        lambda s: np.fill_diagonal(s.x.reshape(1, 3), 9),
        InPlaceError,
        ["fill_diagonal"],
    ),
    "np.add.at": (lambda s: np.add.at(s.x, [0], 9), InPlaceError, ["add.at"]),
    "an array that adds a tracked tensor to itself": (
        lambda s: np.zeros(3).__iadd__(s.x),
        InPlaceError,
        ["add"],
    ),
    "assignment of an item": (
        lambda s: s.x.__setitem__(0, 9.0),
        InPlaceError,
        [r"\(3,\)", r"no_grad\(\)"],
    ),
    "assignment of an item of a result with a view": (
        lambda s: (s.y[1:], s.y.__setitem__(slice(None), 9.0)),
        InPlaceError,
        [r"\(3,\)"],
    ),
    "assignment of a tracked item to a view": (
        lambda s: (lambda a: a.mT.__setitem__(0, s.x[0]))(Tensor(np.zeros((3, 2)))),
        InPlaceError,
        [r"\(2, 3\)"],
    ),
    "numpy()": (lambda s: s.x.numpy(), LostGradientError, [r"detach\(\)", r"\.data"]),
    "np.asarray": (lambda s: np.asarray(s.y), LostGradientError, [r"detach\(\)"]),
    "np.array of a list": (lambda s: np.array([s.x, s.y]), LostGradientError, [r"detach\(\)"]),
    "np.array of 0-d tensors": (
        lambda s: np.array([s.loss, s.loss]),
        LostGradientError,
        ["detach"],
    ),
    "sort in place": (lambda s: s.x.sort(), InPlaceError, [r"np\.sort", r"\(3,\)"]),
    "assignment of an item of flat": (
        lambda s: s.x.flat.__setitem__(0, 9.0),
        InPlaceError,
        [r"\(3,\)"],
    ),
    "a copy of a result": (
        lambda s: copy.deepcopy(s.y),
        AutogradError,
        [r"detach\(\)", "MulBackward"],
    ),
    "a pickle of a result": (lambda s: pickle.dumps(s.loss), AutogradError, [r"detach\(\)"]),
    "retain_grad of an untracked tensor": (
        lambda s: Tensor([1.0]).retain_grad(),
        UntrackedError,
        ["requires grad"],
    ),
    "func.grad of several elements": (
        lambda s: func.grad(lambda x: x * 2)(s.x),
        NonScalarError,
        [r"\(3,\)"],
    ),
    "func.grad of a float": (
        lambda s: func.grad(lambda x: 3.0)(s.x),
        TypeError,
        ["float", "tensor"],
    ),
    "func.grad with respect to a missing argument": (
        lambda s: func.grad(lambda x: x.sum(), argnums=1)(s.x),
        TypeError,
        ["1"],
    ),
    "func.grad of several numbers": (
        lambda s: func.grad(np.sin)(s.x),
        NonScalarError,
        [r"sin returned a tensor of shape \(3,\)", "elementwise_grad or jacobian"],
    ),
    "func.grad of something that is not a function": (
        lambda s: func.grad(s.loss)(s.x),
        TypeError,
        ["takes a function, not Tensor"],
    ),
    "func.grad with respect to a name": (
        lambda s: func.grad(np.sum, argnums="x")(s.x),
        TypeError,
        ["argnums must be the position of an argument or a sequence of positions, not 'x'"],
    ),
    "grad of a number": (lambda s: grad(3.0, s.x), TypeError, ["takes Tensors, not float: 3.0"]),
    "grad with respect to None": (
        lambda s: grad(s.loss, None),
        TypeError,
        ["takes Tensors, not NoneType"],
    ),
    "grad_outputs of another shape": (
        lambda s: grad(s.y, s.x, np.ones(2)),
        ValueError,
        [r"grad_outputs has the shape \(2,\)"],
    ),
    "checkpoint of something that is not a function": (
        lambda s: autograd.checkpoint(s.loss),
        TypeError,
        ["checkpoint takes a function, not Tensor"],
    ),
    "custom_gradient of something that is not a function": (
        lambda s: autograd.custom_gradient(s.loss),
        TypeError,
        ["custom_gradient takes a function, not Tensor"],
    ),
    "gradcheck of something that is not a function": (
        lambda s: autograd.gradcheck(s.loss, s.x),
        TypeError,
        ["gradcheck takes a function, not Tensor"],
    ),
    "an array of tensors": (
        lambda s: np.array([s.x[0], 1.0]),
        LostGradientError,
        ["np.stack or np.concatenate instead of np.array"],
    ),
    "np.mean of a list": (
        lambda s: np.mean([s.x[0], s.loss]),
        LostGradientError,
        [r"np\.stack\(tensors\) instead of a list, .* to np\.mean"],
    ),
    "np.linalg.det of a list": (
        lambda s: np.linalg.det([[s.loss]]),
        LostGradientError,
        [r"np\.stack\(tensors\) instead of a list, .* to np\.linalg\.det"],
    ),
    "np.sum of a list of arrays": (
        lambda s: np.sum([s.x, s.y]),
        LostGradientError,
        [r"np\.stack\(tensors\) instead of a list, .* to np\.sum"],
    ),
    "np.append of a list to an array": (
        lambda s: np.append(np.ones(2), [s.loss]),
        LostGradientError,
        [r"Tensor\(a\) instead of an array a, to np\.append"],
    ),
    "np.dot of lists": (lambda s: np.dot([s.loss], [2.0]), LostGradientError, ["np.stack"]),
    "np.r_": (lambda s: np.r_[s.x, 1.0], LostGradientError, [r"np\.concatenate instead of np\.r_"]),
    "np.c_": (
        lambda s: np.c_[s.x, s.y],
        LostGradientError,
        [r"np\.column_stack instead of np\.c_"],
    ),
    "np.full": (lambda s: np.full(3, s.loss), LostGradientError, [r"np\.full\(.*, like=x\)"]),
    "np.arange": (lambda s: np.arange(s.loss), LostGradientError, ["np.arange needs like=x"]),
    "np.select with a default": (
        lambda s: np.select([np.ones(3, bool)], [np.ones(3)], default=s.x),
        LostGradientError,
        [r"Tensor\(a\) instead of an array a, to np\.select"],
    ),
    "np.piecewise of an array": (
        lambda s: np.piecewise(np.ones(3), [np.ones(3, bool)], [s.loss]),
        LostGradientError,
        [r"Tensor\(a\) instead of an array a, to np\.piecewise"],
    ),
    "np.pad of an array": (
        lambda s: np.pad(np.ones(3), 1, constant_values=s.loss),
        LostGradientError,
        [r"Tensor\(a\) instead of an array a, to np\.pad"],
    ),
    "np.interp with a period": (
        lambda s: np.interp([1.5], [0.0, 1.0], [0.0, 1.0], period=s.loss),
        LostGradientError,
        [r"Tensor\(a\) instead of an array a, to np\.interp"],
    ),
    "np.full_like of an array": (
        lambda s: np.full_like(np.ones(3), s.loss),
        InPlaceError,
        [r"Tensor\(a\) instead of an array a, to np\.full_like"],
    ),
    "np.nan_to_num of an array": (
        lambda s: np.nan_to_num(np.ones(3), nan=s.loss),
        InPlaceError,
        [r"Tensor\(a\) instead of an array a, to np\.nan_to_num"],
    ),
    "as_strided": (
        lambda s: np.lib.stride_tricks.as_strided(s.x, (2,)),
        LostGradientError,
        ["sliding_window_view"],
    ),
    "a ufunc of another library": (
        lambda s: special.expit(s.x).sum().backward(),
        NoRuleError,
        ["ufunc expit, of another library"],
    ),
    "func.grad with respect to integers": (
        lambda s: func.grad(lambda x: x.sum())(np.array([1, 2])),
        TypeError,
        ["int64"],
    ),
    "an unknown name in tinytorch_autograd": (
        lambda s: __import__("tinytorch_autograd").MulBackwards,
        AttributeError,
        ["MulBackwards"],
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_use_raises(scene, name):
    act, kind, words = INVALID[name]
    with pytest.raises(kind) as caught:
        act(scene)
    if issubclass(kind, AutogradError):
        assert type(caught.value) is kind
    for word in words:
        caught.match(word)
    scene.check_unchanged()


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%", "**"])
def test_in_place_operators_on_a_tracked_leaf_raise(scene, symbol):
    with pytest.raises(InPlaceError, match=r"\(3,\)"):
        exec(f"x {symbol}= 2", {"x": scene.x})
    scene.check_unchanged()


def test_writing_is_allowed_inside_no_grad(scene):
    with no_grad():
        scene.x += 1
        scene.x[0] = 7
        np.multiply(scene.x, 2, out=scene.x)
        np.copyto(scene.w, np.ones(3))
    assert scene.x.tolist() == [14.0, 6.0, 8.0]
    assert scene.w.tolist() == [1.0, 1.0, 1.0]
    assert scene.x.is_leaf
    assert scene.x.requires_grad


def test_in_place_operators_work_on_untracked_tensors(scene):
    total = before = Tensor(np.zeros(3))
    total += 1
    total[0] = 5
    assert total is before
    assert total.tolist() == [5.0, 1.0, 1.0]
    scene.check_unchanged()


def test_adding_a_tracked_tensor_in_place_rebinds_the_name(scene):
    total = before = Tensor(np.zeros(3))
    total += scene.x
    assert before.tolist() == [0.0, 0.0, 0.0]
    assert not before.requires_grad
    assert grad(total.sum(), scene.x).tolist() == [1.0, 1.0, 1.0]
    scene.check_unchanged()


def test_values_of_tracked_tensors_can_be_read(scene):
    assert scene.loss.item() == 32.0
    assert scene.x.tolist() == [1.0, 2.0, 3.0]
    assert np.asarray(scene.y.detach()).tolist() == scene.y.data.tolist()
    assert f"{scene.loss:.1f}" == "32.0"
    scene.check_unchanged()


def test_a_second_backward_pass_explains_retain_graph(scene):
    scene.loss.backward()
    after = scene.snapshot()
    for again in (scene.loss.backward, lambda: grad(scene.loss, scene.x)):
        with pytest.raises(GraphFreedError, match="retain_graph=True"):
            again()
    assert scene.snapshot() == after


def test_using_a_freed_node_raises(scene):
    node = scene.loss.grad_fn
    scene.loss.backward()
    for use in (
        lambda: node.apply(np.ones(())),
        lambda: node.saved_tensors,
        lambda: node.next_functions,
    ):
        with pytest.raises(GraphFreedError, match="SumBackward"):
            use()


def test_backward_through_a_partly_freed_graph_frees_nothing_more(scene):
    x = Tensor([2.0], requires_grad=True)
    shared = x * x
    first, other = shared * 3, x * 7
    second = shared + other
    first.backward()
    with pytest.raises(GraphFreedError):
        second.backward()
    assert x.grad.tolist() == [12.0]
    assert grad(other, x).tolist() == [7.0]


def test_an_op_without_a_rule_computes_and_only_backward_raises(scene):
    x = Tensor([2.0, 5.0], requires_grad=True)
    others = np.setdiff1d(x, [2.0])
    assert others.tolist() == [5.0]
    assert others.requires_grad
    for use in (others.backward, lambda: grad(others, x), (others * 2).backward):
        with pytest.raises(NoRuleError, match=r"np\.setdiff1d"):
            use()
    assert x.grad is None
    assert not np.setdiff1d(x.detach(), [2.0]).requires_grad
    assert not no_grad()(np.setdiff1d)(x, [2.0]).requires_grad


def test_an_op_without_a_rule_does_not_affect_other_paths():
    x, y = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    z = x * x + np.setdiff1d(y, [0.0])
    assert grad(z, x, retain_graph=True).tolist() == [4.0]
    with pytest.raises(NoRuleError, match="setdiff1d"):
        z.backward()
    assert (x.grad, y.grad) == (None, None)


def test_ops_before_an_input_may_lack_a_rule():
    x = Tensor([2.0], requires_grad=True)
    h = np.setdiff1d(x, [0.0])
    y = h * h
    assert grad(y, h).tolist() == (2 * h.data).tolist()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sort(x),
        lambda x: np.cumsum(x),
        lambda x: np.linalg.inv(x * np.eye(3)),
        lambda x: np.einsum("i,i->", x, x),
        lambda x: np.split(x, 3)[1],
        lambda x: np.sum(x, where=np.array([True, False, True])),
        lambda x: np.add.reduce(x),
        lambda x: np.modf(x)[0],
        lambda x: np.linalg.norm(x),
    ],
)
def test_a_numpy_function_is_not_treated_as_a_constant(function):
    x = Tensor(np.array([1.5, 2.25, 3.5]), requires_grad=True)
    out = function(x)
    assert out.requires_grad
    out.sum().backward()
    assert x.grad.any()


@contextmanager
def plugin_with(name, forward, *rule):
    """Register a plugin with one op and its rule inside a `with` block."""

    @hookimpl
    def tinytorch_register_ops(ops):
        ops.add(name, forward, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(rules):
        rules.add(name, *rule)

    plugin = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_register_backward=tinytorch_register_backward,
    )
    plugins.register(plugin, name=f"{name}-plugin")
    try:
        yield
    finally:
        plugins.unregister(f"{name}-plugin")


def cubed(x):
    return x * x * x


def failing(grad, x):
    raise ArithmeticError("no cubes today")


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        (failing, ArithmeticError, "no cubes today"),
        (lambda grad, x: np.ones(7), ValueError, r"\(7,\).*\(3,\)"),
        (lambda grad, x: None, TypeError, "the rule of .* returned None for the gradient of x"),
        (lambda grad, x: 2.0, TypeError, r"returned 2.0 for a tensor of shape \(3,\)"),
    ],
    ids=["raises", "returns another shape", "returns None", "returns a number"],
)
def test_a_failing_rule_changes_no_gradients(scene, rule, error, words):
    with plugin_with("cube", cubed, rule):
        loss = (scene.x.cube() + scene.w).sum()
        with pytest.raises(error, match=words):
            loss.backward()
        scene.check_unchanged()


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        ([cubed, cubed], r"needs 1 function, one for each input \(x\), not 2"),
        ([None], r"use rules.no_derivative\('negative'\)"),
        ([lambda grad, z: grad], r"unknown argument 'z'\. Known: .*x_shape\. Fix the plugin"),
        ([lambda grad, x_shap: grad], r"Did you mean 'x_shape' or 'outs_shape'\? Fix the plugin"),
    ],
)
def test_wrong_functions_of_a_rule_are_refused(functions, words):
    with (
        pytest.raises(PluginError, match=words),
        plugin_with("negative", lambda x: -x, *functions),
    ):
        pass


def test_a_rule_that_returns_too_few_gradients_is_an_error(scene):
    with plugin_with("total", lambda *arrays: sum(arrays), lambda grad: [grad]):
        loss = scene.x.total(scene.w).sum()
        with pytest.raises(ValueError, match=r"total|argument"):
            loss.backward()
        scene.check_unchanged()


def test_a_rule_from_another_plugin_is_used():
    with plugin_with("cube", cubed, lambda grad, x: 3 * grad * x * x):
        x = Tensor([2.0], requires_grad=True)
        slope = grad(x.cube(), x, create_graph=True)
        assert slope.tolist() == [12.0]
        assert grad(slope, x).tolist() == [12.0]
        assert type(x.cube().grad_fn).__name__ == "CubeBackward"
