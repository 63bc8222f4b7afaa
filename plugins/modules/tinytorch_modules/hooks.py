"""Hooks of modules: functions that are called before or after `forward`, or with gradients.

Each hook is called with the module first, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tinytorch_core import Tensor

Hook = Callable[..., Any]


class Hooked(Protocol):
    """What hooks need of a module."""

    registered_hooks: ModuleHooks | None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output."""


class ModuleHooks:
    """The hooks of one module, in the order of registration.

    Attributes:
        before: called with the arguments before `forward`.
        after: called with the arguments and the output after `forward`.
        before_gradients: called with the gradients of the output.
        after_gradients: called with the gradients of the arguments and of the output.
    """

    def __init__(self) -> None:
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.before_gradients: list[Hook] = []
        self.after_gradients: list[Hook] = []

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def call(self, module: Hooked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the output of a module, with its hooks called."""
        for hook in list(self.before):
            replaced = hook(module, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
        if self.before_gradients or self.after_gradients:
            output = _Gradients(self, module).call(args, kwargs)
        else:
            output = module.forward(*args, **kwargs)
        for hook in list(self.after):
            replaced = hook(module, args, output)
            if replaced is not None:
                output = replaced
        return output


class HookHandle:
    """The handle of a module's hook. `remove()`, or the end of a `with` block, removes the hook.

    >>> import numpy as np
    >>> from tinytorch_modules import Sequential
    >>> model = Sequential(np.sqrt)
    >>> with model.register_forward_hook(lambda module, args, output: output + 1):
    ...     print(model(np.array([4.0])))
    [3.]
    >>> model(np.array([4.0]))
    array([2.])
    """

    def __init__(self, module: Hooked, hooks: list[Hook], hook: Hook) -> None:
        self._module, self._hooks, self._hook = module, hooks, hook

    def remove(self) -> None:
        """Remove the hook; do nothing if it was removed before."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]
        if not self._module.registered_hooks:
            vars(self._module).pop("registered_hooks", None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def add_hook(module: Hooked, kind: str, hook: Hook) -> HookHandle:
    """Add a hook to a list of `ModuleHooks`, and return its handle.

    Raises:
        TypeError: the hook is not callable.
    """
    if not callable(hook):
        raise TypeError(
            f"a hook of {type(module).__name__} must be a function, not {type(hook).__name__}"
        )
    if module.registered_hooks is None:
        module.registered_hooks = ModuleHooks()
    hooks: list[Hook] = getattr(module.registered_hooks, kind)
    # Wrapped, so that removing one handle does not remove another registration of the same hook.
    added = _Registered(hook)
    hooks.append(added)
    return HookHandle(module, hooks, added)


class _Registered:
    """One registration of a hook."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    def __call__(self, *args: Any) -> Any:
        return self._hook(*args)


class _Gradients:
    """One call of a module whose gradients hooks see.

    The tensors that enter and leave the module pass through two functions that return them
    unchanged. The backward passes of these functions get all gradients at once.
    """

    def __init__(self, hooks: ModuleHooks, module: Hooked) -> None:
        self._hooks, self._module = hooks, module
        self._of_output: tuple[Any, ...] = ()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tracked = [i for i, x in enumerate(args) if getattr(x, "requires_grad", False)]
        inputs = list(args)
        if tracked:
            passed = _unchanged(
                [args[i] for i in tracked], self._leave_backward(len(args), tracked)
            )
            for i, tensor in zip(tracked, passed, strict=True):
                inputs[i] = tensor
        output = self._module.forward(*inputs, **kwargs)
        outputs = output if isinstance(output, tuple) else (output,)
        if not any(getattr(y, "requires_grad", False) for y in outputs):
            return output
        if not all(isinstance(y, Tensor) for y in outputs):
            raise TypeError(
                f"hooks for gradients need a module that returns tensors, but "
                f"{type(self._module).__name__} returned {type(output).__name__}"
            )
        passed = _unchanged(outputs, self._enter_backward(None if tracked else len(args)))
        return tuple(passed) if isinstance(output, tuple) else passed[0]

    def _enter_backward(self, untracked: int | None) -> Hook:
        """Return what is called with the gradients of the outputs.

        If no argument requires grad, the backward pass ends in the module, and `untracked` is the
        number of arguments.
        """

        def enter(grads: tuple[Any, ...]) -> tuple[Any, ...]:
            for hook in list(self._hooks.before_gradients):
                grads = _replaced(hook(self._module, grads), grads, "output")
            self._of_output = grads
            if untracked is not None:
                for hook in list(self._hooks.after_gradients):
                    hook(self._module, (None,) * untracked, grads)
            return grads

        return enter

    def _leave_backward(self, count: int, tracked: Sequence[int]) -> Hook:
        """Return what is called with the gradients of the arguments that require grad."""

        def leave(grads: tuple[Any, ...]) -> tuple[Any, ...]:
            every: list[Any] = [None] * count
            for i, grad in zip(tracked, grads, strict=True):
                every[i] = grad
            of_inputs = tuple(every)
            for hook in list(self._hooks.after_gradients):
                found = hook(self._module, of_inputs, self._of_output)
                of_inputs = _replaced(found, of_inputs, "input")
            return tuple(of_inputs[i] for i in tracked)

        return leave


def _unchanged(tensors: Sequence[Any], backward: Hook) -> Sequence[Any]:
    """Return the tensors, and call `backward` with their gradients in the backward pass."""
    # Imported here because a disabled autograd must not be imported.
    from tinytorch_autograd import custom_gradient

    def identity(*values: Any) -> Any:
        def pull(grads: Any) -> Any:
            found = backward(grads)
            return found if len(found) > 1 else found[0]

        return values, pull

    result: Sequence[Any] = custom_gradient(identity)(*tensors)
    return result


def _replaced(found: Any, grads: tuple[Any, ...], which: str) -> tuple[Any, ...]:
    """Return the gradients that a hook returned, or those before if it returned None."""
    if found is None:
        return grads
    new = found if isinstance(found, tuple) else (found,)
    if len(new) != len(grads):
        raise ValueError(
            f"a hook returned {len(new)} gradients of the {which}, but there are {len(grads)}; "
            "return one for each, or None to keep them"
        )
    return new
