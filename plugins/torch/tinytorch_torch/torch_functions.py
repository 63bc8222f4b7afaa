"""from_torch: functions and modules of PyTorch as ops of Tensors, with derivatives of any order."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import LostGradientError, custom_gradient, is_grad_enabled
from tinytorch_modules import Module, Parameter
from tinytorch_torch.conversion import as_tensor, as_torch, filled, leaves, mapped
from tinytorch_torch.engine import torch

Function = Callable[..., Any]

# Stands for a tensor of PyTorch in the structure of a result.
_TENSOR = object()


def from_torch(f: Any, device: Any = None) -> Any:
    """Return a function or module of PyTorch as a function or module of Tensors.

    The result is an op with derivatives of any order that PyTorch has. Arrays share their memory
    with PyTorch's tensors on the CPU.

    Args:
        f: a function of tensors of PyTorch that returns tensors of PyTorch, in nested tuples,
            lists and dicts; or a `torch.nn.Module` on the CPU.
        device: the device to compute on; arrays are copied there and results back. None computes
            where the arrays are.

    Returns:
        A function of Tensors and arrays, or a `TorchModule`.

    Raises:
        TypeError: `f` is neither a function nor a module; in a call, the dtypes of the inputs and
            the parameters differ, or one of the libraries lacks a dtype.
        LostGradientError: in a call, the function uses tensors of PyTorch that require grad and
            are not arguments, such as the parameters of a module.

    >>> import torch
    >>> logsumexp = from_torch(lambda x: torch.logsumexp(x, 0))
    >>> x = Tensor([1.0, 1.0], requires_grad=True)
    >>> logsumexp(x).backward()
    >>> x.grad
    array([0.5, 0.5], dtype=float32)
    """
    if isinstance(f, torch.nn.Module):
        return TorchModule(f, device)
    if not callable(f):
        raise TypeError(f"from_torch() takes a function or a torch.nn.Module, not {f!r:.60}")
    name = getattr(f, "__name__", None) or repr(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = (args, kwargs)

        def function(*tensors: Any) -> Any:
            positional, named = filled(given, tensors)
            return f(*positional, **named)

        return apply(function, leaves(given), name, device)

    # Not functools.wraps: a builtin of PyTorch has no attributes to copy.
    call.__name__, call.__doc__ = name, getattr(f, "__doc__", None)
    return call


def apply(function: Function, values: Sequence[Any], name: str, device: Any = None) -> Any:
    """Return the result of a function of PyTorch for Tensors, recorded if one is tracked."""
    tracked = [i for i, v in enumerate(values) if _is_tracked(v)] if is_grad_enabled() else []
    constants = [None if i in tracked else as_torch(v, device) for i, v in enumerate(values)]
    if not tracked:
        with torch.no_grad():
            return mapped(as_tensor, function(*constants))

    structure: list[Any] = []

    def tensors_of_tracked(*tensors: Any) -> list[Any]:
        given = list(constants)
        for i, tensor in zip(tracked, tensors, strict=True):
            given[i] = tensor
        result = function(*given)
        structure[:] = [mapped(lambda y: _TENSOR if isinstance(y, torch.Tensor) else y, result)]
        return [y for y in leaves(result) if isinstance(y, torch.Tensor)]

    found = iter(_op(tensors_of_tracked, name, device)(*(values[i] for i in tracked)))
    return mapped(lambda y: next(found) if y is _TENSOR else y, structure[0])


def _is_tracked(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(getattr(value, "requires_grad", False))


def _op(function: Function, name: str, device: Any) -> Function:
    """Return a function as an op.

    Args:
        function: a function of tensors of PyTorch, which all have derivatives, that returns a list
            of tensors.
        name: its name.
        device: see `from_torch`.
    """
    state = torch.get_rng_state()  # before the forward pass, which follows

    def value_and_pull(*inputs: Any) -> tuple[Any, Function]:
        if any(map(_is_tracked, inputs)):
            # The backward pass is recorded: it is another function of PyTorch.
            def pull_recorded(grads: Any) -> Any:
                vjp = functools.partial(_vjp, function, len(inputs), state)
                return _for_arguments(apply(vjp, [*inputs, *grads], f"vjp of {name}", device))

            return None, pull_recorded
        xs = [as_torch(x, device).detach().requires_grad_() for x in inputs]
        with torch.enable_grad():
            outputs = function(*xs)
        _check_captured(name, outputs, xs)
        value = [as_tensor(y) for y in outputs]

        def pull(grads: Any) -> Any:
            # This refers to `value` because custom_gradient notices writes into the tensors in the
            # closure, and the outputs of PyTorch share their memory with it.
            assert len(value) == len(grads)
            found = _gradients(outputs, xs, [as_torch(g, device) for g in grads])
            return _for_arguments(tuple(None if g is None else as_tensor(g) for g in found))

        return value, pull

    value_and_pull.__name__ = name
    return custom_gradient(value_and_pull)


def _for_arguments(grads: tuple[Any, ...]) -> Any:
    """Return gradients as `custom_gradient` needs them: a single one not in a tuple."""
    return grads[0] if len(grads) == 1 else grads


def _gradients(
    outputs: Sequence[Any], inputs: Sequence[Any], grads: Sequence[Any], create: bool = False
) -> Sequence[Any]:
    used = [(y, g) for y, g in zip(outputs, grads, strict=True) if y.requires_grad]
    if not used:
        return [None] * len(inputs)
    found: Sequence[Any] = torch.autograd.grad(
        [y for y, _ in used],
        inputs,
        [g for _, g in used],
        allow_unused=True,
        retain_graph=True,
        create_graph=create,
    )
    return found


def _vjp(function: Function, count: int, state: Any, *tensors: Any) -> tuple[Any, ...]:
    """Return vᵀJ for each of `count` inputs, which the gradients v of the outputs follow."""
    inputs, grads = tensors[:count], tensors[count:]
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.set_rng_state(state)  # the draws of the forward pass
        inputs = tuple(x if x.requires_grad else x.detach().requires_grad_() for x in inputs)
        outputs = function(*inputs)
        found = _gradients(outputs, inputs, grads, create=True)
    pairs = zip(inputs, found, strict=True)
    return tuple(torch.zeros_like(x) if g is None else g for x, g in pairs)


def _check_captured(name: str, outputs: Sequence[Any], inputs: Sequence[Any]) -> None:
    """Raise LostGradientError if an output depends on other leaves that require grad."""
    own = {id(x) for x in inputs}
    waiting = [y.grad_fn for y in outputs if y.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in own:
            raise LostGradientError(
                f"{name} uses a tensor of PyTorch of shape {tuple(leaf.shape)} that requires grad "
                "and is not an argument, so that its gradient would be lost. Pass it as an "
                "argument, detach it, or wrap the module that has it as a parameter: "
                "from_torch(module)"
            )
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


@contextmanager
def _in_modes(modes: Sequence[tuple[Any, bool]]) -> Iterator[None]:
    """Set `training` of modules of PyTorch inside a `with` block."""
    now = [part.training for part, _ in modes]
    try:
        for part, training in modes:
            part.training = training
        yield
    finally:
        for (part, _), training in zip(modes, now, strict=True):
            part.training = training


class _Part(Module):
    """The parameters and buffers of a module of PyTorch, on the same memory.

    Args:
        module: the module of PyTorch.
        known: the parameters made so far, by the id of PyTorch's.
    """

    def __init__(self, module: Any, known: dict[int, Parameter]) -> None:
        super().__init__()
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in known:
                known[id(parameter)] = _parameter_on(parameter)
            setattr(self, name, known[id(parameter)])
        for name, buffer in module.named_buffers(recurse=False):
            self.register_buffer(name, as_tensor(buffer).data)
        for name, child in module.named_children():
            self.add_module(name, _Part(child, known))


def _parameter_on(parameter: Any) -> Parameter:
    """Return a Parameter that shares its memory with one of PyTorch.

    Raises:
        ValueError: it is not on the CPU.
    """
    if parameter.device.type != "cpu":
        raise ValueError(
            f"from_torch() needs the parameters on the CPU, not on {parameter.device}, because "
            "they share their memory with NumPy; pass module.cpu(), and device= to compute "
            "elsewhere"
        )
    data = as_tensor(parameter).data
    found = Parameter(np.zeros((), data.dtype), requires_grad=parameter.requires_grad)
    found.data = data
    return found


class TorchModule(_Part):
    """A `torch.nn.Module` as a Module, for our optimizers, losses and Trainer.

    Its parameters and buffers are Parameters and arrays on the memory of PyTorch's, with the names
    and shapes of PyTorch: a step of an optimizer, or new weights, change both. `train()` and
    `eval()` apply to both.

    Args:
        module: the module of PyTorch, on the CPU.
        device: the device to compute on, see `from_torch`.

    Attributes:
        torch_module: the module of PyTorch.

    Raises:
        ValueError: a parameter is not on the CPU.

    >>> import torch
    >>> model = TorchModule(torch.nn.Linear(3, 2))
    >>> [name for name, _ in model.named_parameters()]
    ['weight', 'bias']
    >>> model(np.ones((1, 3), np.float32)).shape
    (1, 2)
    """

    def __init__(self, module: Any, device: Any = None) -> None:
        super().__init__(module, {})
        self.torch_module, self.device = module, device
        self._names = [name for name, _ in self.named_parameters()]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the module of PyTorch."""
        module = self.torch_module
        if module.training != self.training:
            module.train(self.training)
        names, parameters = self._names, [p for _, p in self.named_parameters()]
        buffers = {k: as_torch(v, self.device) for k, v in self.named_buffers()}
        given = (args, kwargs)
        before = {k: v.clone() for k, v in buffers.items()}
        modes = [(part, part.training) for part in module.modules()]
        runs = itertools.count()

        def function(*tensors: Any) -> Any:
            # A recorded backward pass runs the module again, as it was, on copies of its buffers.
            own = {k: v.clone() for k, v in before.items()} if next(runs) else buffers
            state = dict(zip(names, tensors, strict=False)) | own
            positional, named = filled(given, tensors[len(names) :])
            with _in_modes(modes):
                return torch.func.functional_call(module, state, positional, named)

        name = type(module).__name__
        try:
            found = apply(function, [*parameters, *leaves(given)], name, self.device)
        except RuntimeError as error:
            raise self._explained(error, leaves(given)) from error
        if self.device is not None:
            for buffer_name, array in self.named_buffers():
                array[...] = as_tensor(buffers[buffer_name]).data
        return found

    def _explained(self, error: RuntimeError, values: Sequence[Any]) -> Exception:
        """Return an error that names the remedy if the dtypes of inputs and parameters differ."""
        own = {p.dtype for p in self.parameters()}
        given = {v.dtype for v in values if getattr(v, "dtype", np.dtype(int)).kind in "fc"}
        if len(own) != 1 or given <= own:
            return error
        (dtype,) = own
        return TypeError(
            f"{type(self.torch_module).__name__} has parameters of {dtype}, but got inputs of "
            f"{', '.join(sorted(map(str, given)))}; convert the inputs with "
            f"x.astype(np.{dtype}), or the module before it is wrapped, with module.double()"
        )
