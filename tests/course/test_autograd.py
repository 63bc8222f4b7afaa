"""Gradients, and the Function classes that results have and programs create."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_enable_autograd_at_any_time(capsys: pytest.CaptureFixture[str]) -> None:
    from tinytorch import Tensor, enable_autograd

    before = Tensor([2.0], requires_grad=True)
    enable_autograd(quiet=True)
    assert capsys.readouterr().out == ""
    enable_autograd(quiet=False)
    enable_autograd()
    assert "Gradients are enabled" in capsys.readouterr().out
    (before * before).sum().backward()
    close(before.grad, [4])


def test_gradients_accumulate_until_they_are_removed() -> None:
    from tinytorch import Tensor

    x = Tensor([1.0], requires_grad=True)
    (x * 2).backward()
    (x * 2).backward()
    close(x.grad, [4])
    x.zero_grad()
    assert x.grad is None


def nodes() -> list[tuple[str, Any]]:
    """Return the names of Function classes, and an op that creates such a node."""
    return [
        ("AddBackward", lambda x: x + 1),
        ("SubBackward", lambda x: x - 1),
        ("MulBackward", lambda x: x * x),
        ("DivBackward", lambda x: 1 / x),
        ("MatmulBackward", lambda x: x @ x),
        ("TransposeBackward", lambda x: x.transpose()),
        ("PermuteBackward", lambda x: x.permute(1, 0)),
        ("SliceBackward", lambda x: x[0]),
        ("ReshapeBackward", lambda x: x.reshape(4)),
        ("SumBackward", lambda x: x.sum()),
    ]


@pytest.mark.parametrize(("name", "run"), nodes(), ids=[name for name, _ in nodes()])
def test_a_result_has_the_node_of_its_op(name: str, run: Any) -> None:
    from tinytorch.core import autograd
    from tinytorch.core.tensor import Tensor

    x = Tensor([[1, 2], [3, 4]], requires_grad=True)
    kinds = [getattr(autograd, kind) for kind, _ in nodes()]
    assert [k.__name__ for k in kinds if isinstance(run(x)._grad_fn, k)] == [name]
    assert isinstance(run(x)._grad_fn, autograd.Function)
    assert x._grad_fn is None
    assert not isinstance(x, autograd.Function)


def test_grad_fn_cannot_be_set() -> None:
    from tinytorch import Tensor

    with pytest.raises(AttributeError, match="custom_gradient"):
        Tensor([1.0])._grad_fn = "mine"


def entropy(x: Any, course: Any) -> Any:
    return course.CrossEntropyLoss()(x, [1, 0, 1])


def created() -> list[tuple[str, Any, Any]]:
    """Return for each Function class its arguments after the first, and the same as an op."""
    rows: list[tuple[str, Any, Any]] = [
        ("AddBackward", lambda t: [t([1, 2])], lambda x, c: x + c.Tensor([1, 2])),
        ("SubBackward", lambda t: [t([1, 2])], lambda x, c: x - c.Tensor([1, 2])),
        ("MulBackward", lambda t: [t([1, 2])], lambda x, c: x * c.Tensor([1, 2])),
        ("DivBackward", lambda t: [t([1, 2])], lambda x, c: x / c.Tensor([1, 2])),
        ("MatmulBackward", lambda t: [t([[1], [2]])], lambda x, c: x @ c.Tensor([[1], [2]])),
        ("TransposeBackward", lambda t: [None, None], lambda x, c: x.transpose()),
        ("TransposeBackward", lambda t: [0, 1], lambda x, c: x.transpose(0, 1)),
        ("PermuteBackward", lambda t: [(1, 0)], lambda x, c: x.permute(1, 0)),
        ("EmbeddingBackward", lambda t: [t([2, 0, 2])], lambda x, c: x[[2, 0, 2]]),
        ("SliceBackward", lambda t: [slice(1, 3)], lambda x, c: x[1:3]),
        ("ReshapeBackward", lambda t: [(3, 2)], lambda x, c: x.reshape(6)),
        ("SumBackward", lambda t: [], lambda x, c: x.sum()),
        ("ReLUBackward", lambda t: [], lambda x, c: c.ReLU()(x)),
        ("SigmoidBackward", lambda t: [None], lambda x, c: c.Sigmoid()(x)),
        ("SoftmaxBackward", lambda t: [None, 0], lambda x, c: c.Softmax()(x, dim=0)),
        ("GELUBackward", lambda t: [], lambda x, c: c.GELU()(x)),
        (
            "MSEBackward",
            lambda t: [t([[1, 2]] * 3)],
            lambda x, c: ((x - c.Tensor([1, 2])) ** 2).mean(),
        ),
        (
            "CrossEntropyBackward",
            lambda t: [t([1, 0, 1])],
            lambda x, c: c.CrossEntropyLoss()(x, [1, 0, 1]),
        ),
        ("BCEBackward", lambda t: [t(np.ones((3, 2)))], lambda x, c: -np.log(x).mean()),
    ]
    return rows


@pytest.mark.parametrize(("name", "rest", "run"), created())
def test_a_node_made_by_hand_computes_the_gradient(name: str, rest: Any, run: Any) -> None:
    import tinytorch

    x = tinytorch.Tensor(np.random.uniform(0.2, 0.8, (3, 2)), requires_grad=True)
    y = run(x, tinytorch)
    grad = np.random.randn(*y.shape)
    node = getattr(tinytorch, name)(x, *rest(tinytorch.Tensor))
    found = node.apply(grad)
    assert isinstance(found, tuple)
    y.backward(np.asarray(grad, np.float32))
    close(found[0], x.grad)
    assert all(g is None for g in found[1:])
    assert node.saved_tensors[0] is x
    assert name in repr(node)
    constant = getattr(tinytorch, name)(tinytorch.Tensor(x), *rest(tinytorch.Tensor))
    assert constant.apply(grad)[0] is None


def test_a_node_sums_over_axes_that_were_broadcast() -> None:
    from tinytorch import MulBackward, Tensor

    x, y = Tensor(np.ones((3, 2)), True), Tensor([2.0, 3.0], True)
    node = MulBackward(x * 1, y)
    assert len(node.next_functions) == 1
    by_x, by_y = node.apply(Tensor(np.ones((3, 2))))
    close(by_x, [[2, 3]] * 3)
    close(by_y, [3, 3])
    with pytest.raises(ValueError, match=r"expects a gradient of shape \(3, 2\)"):
        node.apply(np.ones(4))


def test_a_function_of_a_program() -> None:
    from tinytorch import Function, Tensor

    class Double(Function):
        def apply(self, grad_output):
            return (grad_output * 2,)

    x = Tensor([1.0], requires_grad=True)
    assert Double(x).apply(np.ones(1)) == (2,)
    assert isinstance(Double(x), Function)
    with pytest.raises(NotImplementedError, match="Function must define forward"):
        Function(x).apply(np.ones(1))
