"""to_torch: functions and modules of Tensors in torch.autograd, with derivatives of any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_autograd import enable_grad, grad, no_grad
from tinytorch_modules import Module
from tinytorch_torch.conversion import as_tensor, as_torch, filled, leaves
from tinytorch_torch.engine import torch

Function = Callable[..., Any]


def to_torch(f: Any) -> Any:
    """Return a function or Module of Tensors as a function or module of PyTorch's tensors.

    Its gradients are computed by autograd of TinyTorch, also those of higher order
    (`create_graph=True`). It computes with NumPy, so tensors must be on the CPU, and random numbers
    come from our generators: `torch.utils.checkpoint` cannot repeat a function that draws some.

    Args:
        f: a function of Tensors that returns Tensors, in nested tuples, lists and dicts; or a
            `Module`.

    Returns:
        A function of tensors of PyTorch; or a `torch.nn.Module` whose parameters share their
        memory with those of the Module, under the same names.

    Raises:
        TypeError: `f` is neither a function nor a Module; in a call, one of the libraries lacks a
            dtype.
        ValueError: in a call, a tensor is not on the CPU.

    >>> import numpy as np, torch
    >>> norm = to_torch(lambda x: np.linalg.norm(x))
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> norm(x).backward()
    >>> x.grad
    tensor([0.6000, 0.8000])
    """
    if isinstance(f, Module):
        return _module_of_torch(f)
    if not callable(f):
        raise TypeError(f"to_torch() takes a function or a Module, not {f!r:.60}")
    name = getattr(f, "__name__", None) or repr(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        return _applied(f, (args, kwargs), (), (), name)

    call.__name__, call.__doc__ = name, getattr(f, "__doc__", None)
    return call


def _applied(f: Function, given: Any, parameters: Any, own: Any, name: str) -> Any:
    """Return the result of `f` in the graph of PyTorch.

    Args:
        f: a function of Tensors.
        given: the positional and named arguments of the call.
        parameters: parameters of PyTorch.
        own: the Parameters on the same memory, which `f` uses.
        name: the name of `f` in errors.
    """
    values = leaves(given)
    positions = [i for i, v in enumerate(values) if isinstance(v, torch.Tensor)]
    structure: list[Any] = []

    def function(*tensors: Any) -> list[Any]:
        arguments = list(values)
        for i, x in zip(positions, tensors, strict=True):
            arguments[i] = x
        positional, named = filled(given, arguments)
        result = f(*positional, **named)
        structure[:] = [result]
        return leaves(result)

    tensors = [values[i] for i in positions]
    _check_devices(name, [*tensors, *parameters])
    call = _Call(function, own)
    outputs = _InTorch.apply(call, *parameters, *tensors)
    return filled(structure[0], outputs)


def _check_devices(name: str, tensors: Sequence[Any]) -> None:
    for x in tensors:
        if x.device.type != "cpu":
            raise ValueError(
                f"{name} computes with NumPy, so tensors must be on the CPU, not on {x.device}; "
                "pass x.cpu()"
            )


class _Call:
    """A function of Tensors, and the Parameters that it uses without getting them.

    Args:
        function: returns a list of Tensors.
        own: the Parameters.
    """

    def __init__(self, function: Function, own: Sequence[Any]) -> None:
        self.function, self.own = function, own

    def run(self, tensors: Sequence[Any], needed: Sequence[bool]) -> tuple[list[Any], list[Any]]:
        """Return the inputs and the outputs as Tensors, connected by a graph where needed."""
        count = len(self.own)
        for parameter, theirs in zip(self.own, tensors[:count], strict=True):
            _share(parameter, theirs)
        inputs = [as_tensor(x) for x in tensors[count:]]
        for x, is_needed in zip(inputs, needed[count:], strict=True):
            if is_needed:
                x.requires_grad_()
        with enable_grad() if any(needed) else no_grad():
            return [*self.own, *inputs], self.function(*inputs)


class _Pull(_Call):
    """The gradients of the inputs of a call, as a function of the inputs and of output gradients.

    It continues the graph of the call, so that the function does not run again: it may draw random
    numbers, or write into buffers.

    Args:
        inputs: what `run` of the call returned first.
        outputs: what it returned second.
        needed: which inputs have gradients.
    """

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any], needed: Sequence[bool]):
        self.inputs, self.outputs, self.needed = inputs, outputs, needed

    def run(self, tensors: Sequence[Any], needed: Sequence[bool]) -> tuple[list[Any], list[Any]]:
        """Return the inputs and the output gradients, and the gradients of the needed inputs."""
        count = len(self.inputs)
        grads = [as_tensor(g) for g in tensors[count:]]
        for g, is_needed in zip(grads, needed[count:], strict=True):
            if is_needed:
                g.requires_grad_()
        pairs = zip(self.inputs, self.needed, strict=True)
        wanted = [x for x, is_needed in pairs if is_needed]
        found = _gradients(self.outputs, wanted, grads, create=any(needed))
        return [*self.inputs, *grads], found


def _share(parameter: Any, theirs: Any) -> None:
    """Let a Parameter use the memory of a parameter of PyTorch, which may have been replaced."""
    data = parameter.data
    if theirs.data_ptr() != data.ctypes.data or tuple(theirs.shape) != data.shape:
        parameter.data = as_tensor(theirs).data


def _gradients(
    outputs: Sequence[Any], inputs: Sequence[Any], grads: Sequence[Any], create: bool
) -> list[Any]:
    pairs = zip(outputs, grads, strict=True)
    used = [(y, g) for y, g in pairs if getattr(y, "requires_grad", False) and g is not None]
    if not used:
        return [_zeros(x) for x in inputs]
    found = grad(
        [y for y, _ in used],
        list(inputs),
        [g for _, g in used],
        create_graph=create,
        retain_graph=True,
        allow_unused=True,
    )
    return [_zeros(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _zeros(x: Any) -> Any:
    return from_array(Tensor, np.zeros_like(x.data))  # not x * 0, which is NaN for infinity


class _InTorch(torch.autograd.Function):  # type: ignore[misc]
    """Runs a `_Call` as a node of PyTorch's graph."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Any) -> Any:
        ctx.needed = ctx.needs_input_grad[1:]
        ctx.save_for_backward(*tensors)
        inputs, outputs = call.run(tensors, ctx.needed)
        ctx.inputs, ctx.outputs = inputs, outputs
        ctx.set_materialize_grads(False)
        found = tuple(map(_output, outputs))
        if constant := [y for y in found if not _is_differentiable(y)]:
            ctx.mark_non_differentiable(*constant)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        needed = ctx.needed
        if torch.is_grad_enabled():
            tensors = ctx.saved_tensors
            pairs = zip(grads, ctx.outputs, strict=True)
            grads = tuple(
                torch.zeros(y.shape, dtype=_output(y).dtype) if g is None else g for g, y in pairs
            )
            pull = _Pull(ctx.inputs, ctx.outputs, needed)
            found = iter(_InTorch.apply(pull, *tensors, *grads))
        else:
            pairs = zip(ctx.inputs, needed, strict=True)
            wanted = [x for x, is_needed in pairs if is_needed]
            given = [None if g is None else as_tensor(g) for g in grads]
            found = map(_output, _gradients(ctx.outputs, wanted, given, create=False))
        return None, *(next(found) if is_needed else None for is_needed in needed)


def _output(value: Any) -> Any:
    found = as_torch(unwrap(value))
    if not isinstance(found, torch.Tensor):
        raise TypeError(
            f"a function given to to_torch() must return Tensors, not {type(value).__name__}"
        )
    return found.detach()


def _is_differentiable(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _module_of_torch(module: Module) -> Any:
    """Return a module of PyTorch with the parameters of a Module."""
    named = list(module.named_parameters())
    parameters = []

    class OfTinyTorch(torch.nn.Module):  # type: ignore[misc]
        """A Module of TinyTorch in PyTorch; `tinytorch_module` is the Module."""

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            if module.training != self.training:
                module.train(self.training)
            theirs = [self.get_parameter(name) for name, _ in named]
            own = [p for _, p in named]
            return _applied(module, (args, kwargs), theirs, own, type(module).__name__)

    found = OfTinyTorch()
    object.__setattr__(found, "tinytorch_module", module)
    for name, parameter in named:
        shared = torch.nn.Parameter(as_torch(parameter), requires_grad=parameter.requires_grad)
        parameters.append(shared)
        _register(found, name.split("."), shared)
    return found


def _register(module: Any, path: Sequence[str], parameter: Any) -> None:
    """Register a parameter under a path of submodules, which are created."""
    for name in path[:-1]:
        if name not in module._modules:
            module.add_module(name, torch.nn.Module())
        module = module._modules[name]
    module.register_parameter(path[-1], parameter)
