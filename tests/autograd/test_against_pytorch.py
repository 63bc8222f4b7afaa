"""The derivatives of orders 1 to 3 agree with PyTorch's in double precision."""

import warnings

import numpy as np
import pytest

from tinytorch_autograd.debug.numerical import gradients, random_weights

from .cases import CASES, DESCRIBED, SAME

pytestmark = pytest.mark.peers

COMPARED = [case for case in CASES if case.torch is not None]
DESCRIBED_CASES = [case for d in DESCRIBED if d.torch for case in (*d.cases(), *d.complex_cases())]


def in_torch(torch, case):
    """Return the function of a case for tensors of torch."""
    if case.torch is SAME:
        return case.function
    if isinstance(case.torch, str):
        return getattr(torch, case.torch)
    return lambda *inputs: case.torch(torch, *inputs)


def torch_gradients(torch, case, weight, directions):
    """Return what `numerical.gradients` returns, computed by torch."""
    # A copy, because torch refuses negative strides.
    inputs = [torch.tensor(np.array(a), requires_grad=True) for a in case.arrays]
    found, weights = [in_torch(torch, case)(*inputs)], [weight]
    for direction in [*directions, None]:
        tracked = [
            (f, torch.from_numpy(np.array(w)))
            for f, w in zip(found, weights, strict=True)
            if f is not None and f.requires_grad
        ]
        if not tracked:
            return [np.zeros_like(a) for a in case.arrays]
        outputs, given = zip(*tracked, strict=True)
        found = torch.autograd.grad(outputs, inputs, given, create_graph=True, allow_unused=True)
        weights = direction
    return [
        np.zeros_like(a) if f is None else f.numpy(force=True)
        for f, a in zip(found, case.arrays, strict=True)
    ]


@pytest.mark.parametrize("case", COMPARED, ids=[case.name for case in COMPARED])
def test_derivatives_agree_with_pytorch(torch, case):
    agree(torch, case, orders=(1, 2, 3))


@pytest.mark.parametrize("case", DESCRIBED_CASES, ids=[case.name for case in DESCRIBED_CASES])
def test_derivatives_of_numpy_functions_agree_with_pytorch(torch, case):
    agree(torch, case, orders=(1, 2))


def agree(torch, case, orders):
    for order in orders:
        weight, directions = random_weights(case.function, case.arrays, order - 1)
        ours = gradients(case.function, case.arrays, weight, directions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about empty tensors and its internals
            try:
                theirs = torch_gradients(torch, case, weight, directions)
            except RuntimeError as error:
                if "does not support complex" in str(error):
                    pytest.skip(str(error))
                raise
        for a, b in zip(ours, theirs, strict=True):
            message = f"the gradient of order {order}"
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10, err_msg=message)
