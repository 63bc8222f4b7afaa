"""Every op, layer, activation and loss of the project is captured, and gives the same bits.

The parts are found by their public names, so that new ones are included.
"""

from __future__ import annotations

import inspect
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

import tinytorch_activations
import tinytorch_layers
import tinytorch_losses
from tinytorch_compile import compile
from tinytorch_devkit import cases_of
from tinytorch_layers import (
    Bilinear,
    CosineSimilarity,
    Module,
    PairwiseDistance,
    PositionalEncoding,
    TransformerDecoder,
    TransformerDecoderLayer,
)
from tinytorch_losses import Loss

from ..activations.cases import CASES as ACTIVATIONS  # noqa: TID252
from ..layers.cases import CASES as LAYERS  # noqa: TID252
from ..layers.cases import mixed  # noqa: TID252

RNG = np.random.default_rng(0)


def bits(found):
    """Return nested results with the type, dtype, shape and bytes of each array."""
    if isinstance(found, list | tuple):
        return [bits(item) for item in found]
    array = unwrap(found)
    if not isinstance(array, np.ndarray | np.generic):
        return found
    return type(found), array.dtype, array.shape, array.tobytes()


def assert_compiled_equals(function, *arguments, calls=4):
    """Assert that a function without state gives the same bits when it is compiled."""
    expected = bits(function(*arguments))
    compiled = compile(function, strict=True)
    for _ in range(calls):
        assert bits(compiled(*arguments)) == expected
    assert "1 program" in repr(compiled)


def with_gradients(function, *arrays, tracked=None):
    """Return the result of a function of tensors, and the gradients of the floating ones.

    Only the first `tracked` of them require grad, if it is given.
    """
    tensors = [
        Tensor(a, requires_grad=a.dtype.kind == "f" and (tracked is None or i < tracked))
        for i, a in enumerate(arrays)
    ]
    out = function(*tensors)
    if not out.requires_grad:
        return [out]
    out.backward(mixed(out.shape, 0.5, 1.5).astype(out.dtype))
    return [out.detach(), *[t.grad for t in tensors if t.grad is not None]]


# Ops, with the calls that their plugins describe for the conformance kit.

OPS = [
    case.op
    for plugin in ("activations", "autograd", "layers", "losses")
    for case in cases_of(plugin, checks=["takes_any_array"])
]


# Autograd sets the gradients of several inputs without a derivative in no particular order.
TRACKED = {"max_pool2d_input": 1, "max_pool2d_pick": 1}


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops(op):
    # A weak reference, because what a step refers to would be part of its state.
    reference = weakref.ref(op)
    for number in range(min(len(op.calls), 3)):
        call = op.calls[number]
        if not all(isinstance(i, np.ndarray) and i.dtype.kind in "biuf" for i in call.inputs):
            continue

        def function(*arrays, number=number):
            op = reference()
            outputs = []

            def run(*tensors):
                out = op(*tensors, **op.fresh(op.calls[number].parameters))
                outputs.extend(out if isinstance(out, tuple | list) else [out])
                return outputs[0]

            found = with_gradients(run, *arrays, tracked=TRACKED.get(op.name))
            return [*found, *[out.detach() for out in outputs[1:]]]

        assert_compiled_equals(function, *call.inputs, calls=3)


# Activations.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ACTIVATIONS, ids=str)
def test_activations(case, dtype):
    reference = weakref.ref(case)
    x = np.array([[-50.0, -2.5, -0.0, 0.5], [0.0, 1e-4, 3.0, 80.0]], dtype)
    assert_compiled_equals(lambda x: with_gradients(reference(), x), x)


# Losses: float targets, class numbers and log-probabilities are drawn for those that need them.

SCORES = RNG.standard_normal((6, 4))
CLASSES = RNG.integers(0, 4, 6)
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
SIGNS = np.where(CLASSES > 1, 1, -1)
ARGUMENTS = {
    "cross_entropy": (SCORES, CLASSES),
    "nll_loss": (np.log(SHARES), CLASSES),
    "kl_div": (np.log(SHARES), SHARES[::-1].copy()),
    "log_softmax": (SCORES,),
    "binary_cross_entropy_with_logits": (SCORES, SHARES),
    "cosine_embedding_loss": (SCORES, SHARES, SIGNS),
    "margin_ranking_loss": (SCORES[:, 0], SHARES[:, 0], SIGNS),
    "hinge_embedding_loss": (SCORES[:, 0], SIGNS),
    "soft_margin_loss": (SCORES[:, 0], SIGNS),
    "triplet_margin_loss": (SCORES, SHARES, SHARES[::-1].copy()),
    "gaussian_nll_loss": (SCORES, SHARES, SHARES[::-1].copy()),
    "ctc_loss": (
        np.log(np.stack([SHARES, SHARES[::-1]], axis=1)),
        np.array([[1, 2], [3, 3]]),
        np.array([6, 5]),
        np.array([2, 2]),
    ),
}
FUNCTIONS = [n for n in tinytorch_losses.__all__ if not n[0].isupper()]
CLASS_NAMES = [
    name
    for name in tinytorch_losses.__all__
    if inspect.isclass(getattr(tinytorch_losses, name)) and name != "Loss"
]


def loss_arguments(function, dtype):
    arrays = ARGUMENTS.get(function, (SHARES, SHARES[::-1].copy()))
    return [a if a.dtype.kind == "i" else a.astype(dtype) for a in arrays]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_losses(name, dtype):
    loss = getattr(tinytorch_losses, name)
    arguments = loss_arguments(name, dtype)
    options = inspect.signature(loss).parameters
    for reduction in ("mean", "sum", "none") if "reduction" in options else (None,):
        chosen = {} if reduction is None else {"reduction": reduction}
        assert_compiled_equals(
            lambda *arrays, chosen=chosen: with_gradients(lambda *t: loss(*t, **chosen), *arrays),
            *arguments,
        )


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_loss_classes(name):
    loss = getattr(tinytorch_losses, name)()
    assert isinstance(loss, Loss)
    functions = {f.replace("_", "").removesuffix("loss"): f for f in FUNCTIONS}
    function = functions.get(name.lower().removesuffix("loss"), "mse_loss")
    arguments = loss_arguments(function, np.float32)
    assert_compiled_equals(lambda *arrays: with_gradients(loss, *arrays), *arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"weight": [1.0, 2.0, 0.0, 0.5]},
        {"ignore_index": 2},
        {"ignore_index": -100},
        {"ignore_index": 1, "weight": [1.0, 2.0, 0.0, 0.5], "label_smoothing": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("targets", [CLASSES, CLASSES.astype(np.float32)], ids=["int", "float"])
def test_options_of_cross_entropy(options, targets):
    def function(x, t):
        return with_gradients(lambda x: tinytorch_losses.cross_entropy(x, t, **options) / 3, x)

    assert_compiled_equals(function, SCORES.astype(np.float32), targets)


# Layers.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_layers(case, dtype):
    """Running statistics and gradients change from call to call, compiled or not."""
    eager, other = case.layer(dtype), case.layer(dtype)

    def trained(layer):
        def step(x):
            layer.zero_grad()
            return with_gradients(layer, x)

        return step

    x = case.x()
    x = x.astype(dtype) if case.floating else x
    run, compiled = trained(eager), compile(trained(other), strict=True)
    for scale in (1, 1, 2, 1, 3):
        expected = bits(run(x * scale if case.floating else x))
        assert bits(compiled(x * scale if case.floating else x)) == expected
        assert bits([b for _, b in other.named_buffers()]) == bits(
            [b for _, b in eager.named_buffers()]
        )
        assert bits([p.grad for p in other.parameters()]) == bits(
            [p.grad for p in eager.parameters()]
        )
    assert compiled.reason is None


# Layers that the shared cases do not contain, with the shapes of their inputs.
FURTHER_LAYERS = {
    "Bilinear": (lambda: Bilinear(3, 4, 2), [(5, 3), (5, 4)]),
    "CosineSimilarity": (CosineSimilarity, [(5, 3), (5, 3)]),
    "PairwiseDistance": (PairwiseDistance, [(5, 3), (5, 3)]),
    "PositionalEncoding": (lambda: PositionalEncoding(8, 5), [(2, 5, 8)]),
    "TransformerDecoder": (
        lambda: TransformerDecoder(TransformerDecoderLayer(8, 2, 16, 0.0, generator=0), 2),
        [(3, 2, 8), (4, 2, 8)],
    ),
}


@pytest.mark.parametrize("name", FURTHER_LAYERS)
def test_further_layers(name):
    make, shapes = FURTHER_LAYERS[name]
    layer = make()
    inputs = [RNG.standard_normal(shape).astype(np.float32) for shape in shapes]
    assert_compiled_equals(lambda *arrays: with_gradients(layer, *arrays), *inputs)


def test_every_public_layer_has_a_case():
    public = {
        name
        for name in tinytorch_layers.__all__
        if inspect.isclass(getattr(tinytorch_layers, name))
        and issubclass(getattr(tinytorch_layers, name), Module)
    }
    tested = {name for name in public for case in LAYERS if f"{name}(" in case.call}
    # The positions that unpooling and bags take cannot be captured.
    not_captured = {"MaxUnpool1d", "MaxUnpool2d", "EmbeddingBag"}
    assert tested | FURTHER_LAYERS.keys() == public - not_captured - {"Module"}


def test_every_public_activation_has_a_case():
    public = {n for n in tinytorch_activations.__all__ if n[0].islower()}
    # The cases have one argument, and results of the same shape.
    assert {case.function_name for case in ACTIVATIONS} == public - {"glu", "prelu"}


# Checks of values.

SHARES_BAD = SHARES * 3
INVALID = {
    "a class out of range": (tinytorch_losses.cross_entropy, (SCORES, CLASSES + 1)),
    "a negative class": (tinytorch_losses.nll_loss, (SCORES, CLASSES - 4)),
    "a class that is not whole": (tinytorch_losses.cross_entropy, (SCORES, CLASSES + 0.5)),
    "a probability above 1": (tinytorch_losses.binary_cross_entropy, (SHARES_BAD, SHARES)),
    "a target above 1": (tinytorch_losses.binary_cross_entropy, (SHARES, SHARES_BAD)),
    "an index out of range": (tinytorch_layers.functional.embedding, (CLASSES + 9, SCORES)),
}


@pytest.mark.parametrize("name", INVALID)
def test_checks_of_values_raise_the_same_errors(name):
    """A replay notices them, too, and later calls are compiled."""
    function, (first, second) = INVALID[name]
    valid = {
        "an index out of range": (CLASSES, SCORES),
        "a class that is not whole": (SCORES, CLASSES.astype(float)),
        "a probability above 1": (SHARES, SHARES),
        "a target above 1": (SHARES, SHARES),
    }.get(name, (SCORES, CLASSES))
    compiled = compile(function)
    for _ in range(2):
        for _ in range(3):
            assert bits(compiled(*valid)) == bits(function(*valid))
        errors = []
        for each in (function, compiled):
            with pytest.raises((ValueError, IndexError)) as info:
                each(first, second)
            errors.append((info.type, str(info.value)))
        assert errors[0] == errors[1]
    assert repr(compiled).endswith("1 program>")
