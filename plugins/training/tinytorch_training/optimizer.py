"""Optimizer, the base class of the optimizers, with groups of parameters and their state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import did_you_mean

from tinytorch_training.arguments import count, not_negative, number, parameter_list
from tinytorch_training.lazy_gradients import compute_gradients, is_lazy

if TYPE_CHECKING:
    from tinytorch_training.small_parameters import SmallParameters

Array = Any
Check = Callable[[str, str, Any], Any]
Closure = Callable[[], Any]
Update = TypeVar("Update", bound=Callable[..., None])
_NONE = (None, None)
# States that were saved before an option existed may lack it.
_ADDED_LATER = {"maximize"}
# Fewer small parameters are updated one by one: with SGD, a flat update of 6 takes as long.
_FEWEST_TOGETHER = 8


class ParameterGroup(dict[str, Any]):
    """The parameters of a group and their options: a dict that checks what is assigned to it.

    Args:
        owner: the name of the optimizer's class, for error messages.
        checks: the options, each with the function that checks and converts its value.
        items: the parameters under "params", and checked options.
    """

    def __init__(self, owner: str, checks: Mapping[str, Check], items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self._owner, self._checks = owner, checks

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "params":
            super().__setitem__(key, parameter_list(self._owner, value))
        else:
            super().__setitem__(key, checked_option(self._owner, self._checks, key, value))

    def update(self, *items: Any, **options: Any) -> None:
        """Assign several options, after checking all of them."""
        copy = dict(*items, **options)
        checked = ParameterGroup(self._owner, self._checks, {})
        for key, value in copy.items():
            checked[key] = value
        super().update(checked)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default pickle would assign the items before the attributes exist.
        return type(self), (self._owner, self._checks, dict(self))


def checked_option(owner: str, checks: Mapping[str, Check], key: str, value: Any) -> Any:
    """Return the value of an option, checked and converted.

    Raises:
        ValueError: the option is unknown, or its value is out of range.
        TypeError: the value has the wrong type.
    """
    # Schedules store the initial learning rate among the options.
    check = not_negative if key == "initial_lr" else checks.get(key)
    if check is None:
        raise ValueError(f"{owner} has no option {key!r}. {did_you_mean(key, checks)}")
    return check(owner, key, value)


@functools.cache
def _no_grad() -> Any:
    # Imported here because a disabled autograd must not be imported.
    from tinytorch_autograd import no_grad

    return no_grad


def elementwise(update: Update) -> Update:
    """Mark an `update` that computes each element from the same element of its arrays.

    Small parameters of a group are then passed to it together, as one flat array, if the numbers in
    their states are the same. A state may contain only numbers, and arrays like the parameter.
    """
    update.elementwise = True  # type: ignore[attr-defined]
    return update


class Optimizer:
    """Updates parameters from their gradients; a subclass defines `update`.

    Args:
        params: an iterable of tensors, such as `model.parameters()`, or a list of groups. A group
            is a dict with an iterable of tensors under "params" and options for them.
        defaults: the options of groups that do not set them.

    Attributes:
        param_groups: the groups as dicts. Options such as `lr` can be changed at any time:
            `optimizer.param_groups[0]["lr"] = 0.01`.
        state: the state kept between steps, for each parameter.

    Raises:
        TypeError, ValueError: the parameters are missing or not floating-point tensors, or an
            option is unknown or invalid.
    """

    # The options, each with the function that checks and converts its value.
    checks: ClassVar[Mapping[str, Check]] = {}
    # What the state of every parameter contains after its first step.
    state_names: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        self.param_groups: list[ParameterGroup] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._defaults = self._checked(defaults)
        self._scratch: dict[Any, tuple[Array, Array]] = {}
        # By the index of the group.
        self._small: dict[int, SmallParameters] = {}
        for group in self._groups(params):
            self.add_param_group(group)
        if not any(getattr(p, "requires_grad", False) for p in self.parameters()):
            raise ValueError(
                f"none of the parameters of {type(self).__name__} requires grad, so steps would "
                "change nothing; create them with requires_grad=True while the plugin autograd "
                "is enabled"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.checks:
            raise AttributeError(self._where_options_are(name))
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self.checks:
            raise AttributeError(self._where_options_are(name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        """Update one parameter: in place, or by assigning a new array to `parameter.data`.

        Args:
            parameter: the tensor.
            grad: its gradient, an array that must not be modified; negated with `maximize`.
            state: the state kept for this parameter between steps; initially empty.
            group: the options of its group.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update()")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: a function without arguments that is called first. It sets the gradients to
                None, computes the loss and its gradients, and returns the loss. Only `LBFGS`
                requires it.

        Returns:
            The loss, or None without a function.

        Raises:
            TypeError: `closure` is not a function.
        """
        loss = None if closure is None else self._evaluated(closure)
        with _no_grad()():
            for index, group in enumerate(self.param_groups):
                maximize = group.get("maximize", False)
                for parameter in self._without_small(index, group):
                    grad = parameter.grad
                    if grad.__class__ is not np.ndarray and is_lazy(grad):
                        compute_gradients(self.parameters())
                        grad = parameter.grad
                    if grad is not None:
                        grad = -grad if maximize else grad
                        self.update(parameter, grad, self.state.setdefault(parameter, {}), group)
        return loss

    def _evaluated(self, closure: Closure) -> Any:
        """Return the result of a function, in which operations are recorded."""
        from tinytorch_autograd import enable_grad

        if not callable(closure):
            raise TypeError(
                f"step() of {type(self).__name__} takes a function that computes the loss and its "
                f"gradients, and returns the loss, not {closure!r:.60}"
            )
        with enable_grad():
            return closure()

    def _without_small(self, index: int, group: Mapping[str, Any]) -> Sequence[Tensor]:
        """Update the small parameters of a group together, and return its other parameters."""
        parameters: Sequence[Tensor] = group["params"]
        if len(parameters) < _FEWEST_TOGETHER or not getattr(self.update, "elementwise", False):
            return parameters
        if index not in self._small:
            # Imported here to keep it out of the start-up time.
            from tinytorch_training.small_parameters import SmallParameters

            self._small[index] = SmallParameters(_FEWEST_TOGETHER)
        return self._small[index].update(parameters, self.update, self.state, group)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes of a copy: the arrays of its states are not views of flat ones."""
        return {**vars(self), "_scratch": {}, "_small": {}}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None.

        Args:
            set_to_none: if False, replace the gradients by zeros instead. Then steps still apply
                momentum and weight decay to parameters that get no gradient.
        """
        for parameter in self.parameters():
            if set_to_none:
                parameter.zero_grad()
            elif parameter.grad is not None:
                parameter.grad = np.zeros_like(parameter.grad)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters with its options, such as `{"params": [...], "lr": 0.01}`.

        Raises:
            TypeError, ValueError: as in the constructor. The optimizer is unchanged.
        """
        name = type(self).__name__
        options = {key: value for key, value in param_group.items() if key != "params"}
        checked = self._checked({**self._defaults, **options})
        parameters = parameter_list(name, param_group.get("params", ()))
        known = {id(p) for p in self.parameters()}
        if not known.isdisjoint(map(id, parameters)):
            raise ValueError(
                f"{name} already has one of these parameters in a different group; pass each "
                "parameter only once"
            )
        items = {"params": parameters, **checked}
        self.param_groups.append(ParameterGroup(name, self.checks, items))

    def scratch(self, parameter: Tensor) -> tuple[Array, Array]:
        """Return two arrays like `parameter` for intermediate results, reused between steps.

        Returns (None, None) if the parameter has an array of another library, which may not be
        writable: `np.multiply(x, y, out=None)` creates a new array.
        """
        like = parameter.data
        key = (type(like), like.shape, like.dtype)
        if key not in self._scratch:
            known = like.__class__ is np.ndarray
            self._scratch[key] = (np.empty_like(like), np.empty_like(like)) if known else _NONE
        return self._scratch[key]

    def named_state(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the values kept between steps, without copies, with their names.

        The name consists of the index of the parameter and the name of the value: "0.exp_avg".
        """
        for i, parameter in enumerate(self.parameters()):
            for key, value in self.state.get(parameter, {}).items():
                yield f"{i}.{key}", value

    def set_state(self, name: str, value: Any) -> None:
        """Replace a value that is kept between steps, without copying.

        Args:
            name: its name, as in `named_state`.
            value: an array like the parameter, or a number.

        Raises:
            ValueError: no value has that name.

        >>> from tinytorch_training import SGD
        >>> w = Tensor([1.0], requires_grad=True)
        >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
        >>> (w * w).backward()
        >>> optimizer.step()
        >>> optimizer.set_state("0.momentum_buffer", np.zeros(1, np.float32))
        >>> list(optimizer.named_state())
        [('0.momentum_buffer', array([0.], dtype=float32))]
        """
        known = [known for known, _ in self.named_state()]
        if name not in known:
            raise ValueError(
                f"the state of {type(self).__name__} has no {name!r}. {did_you_mean(name, known)}"
            )
        index, _, key = name.partition(".")
        self.state[self.parameters()[int(index)]][key] = value

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer as dicts and lists of numbers and arrays.

        Returns:
            "optimizer": the name of the class. "state": a list with the state of each parameter,
            in order. "param_groups": the options of each group, with "params" replaced by the
            indices of its parameters. The arrays are copies.
        """
        index = {p: i for i, p in enumerate(self.parameters())}
        return {
            "optimizer": type(self).__name__,
            "state": [
                {key: _copied(value) for key, value in self.state.get(p, {}).items()} for p in index
            ],
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`, for parameters of the same shapes.

        Raises:
            TypeError, ValueError: the state belongs to different parameters or to a different kind
                of optimizer, is incomplete, or contains a wrong value. The optimizer is unchanged.
        """
        name = type(self).__name__
        _check_structure(name, state_dict, [len(g["params"]) for g in self.param_groups])
        options = [self._loaded_options(group) for group in state_dict["param_groups"]]
        parameters = self.parameters()
        for i, saved in enumerate(state_dict["state"]):
            _check_state(name, i, saved, self.state_names)
        states = [
            {key: self._loaded_value(i, p, key, value) for key, value in saved.items()}
            for i, (p, saved) in enumerate(zip(parameters, state_dict["state"], strict=True))
        ]
        for group, loaded in zip(self.param_groups, options, strict=True):
            group.update(loaded)
        self.state = {p: state for p, state in zip(parameters, states, strict=True) if state}

    def parameters(self) -> list[Tensor]:
        """Return the parameters of all groups, in order."""
        return [p for group in self.param_groups for p in group["params"]]

    def _groups(self, params: Iterable[Any]) -> list[Mapping[str, Any]]:
        """Return `params` as a list of groups."""
        if isinstance(params, list | tuple) and params and isinstance(params[0], Mapping):
            return list(params)
        return [{"params": params}]

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        name = type(self).__name__
        return {k: checked_option(name, self.checks, k, value) for k, value in options.items()}

    def _where_options_are(self, name: str) -> str:
        return (
            f"{type(self).__name__} has no attribute {name!r}, because each group of parameters "
            f"has its own options; use optimizer.param_groups[0][{name!r}], or change it for all: "
            f"for group in optimizer.param_groups: group[{name!r}] = ..."
        )

    def _loaded_options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a group in a state dict after checking that none is missing."""
        if missing := self.checks.keys() - group.keys() - _ADDED_LATER:
            raise ValueError(
                f"this state does not belong to {type(self).__name__}: "
                f"it has no option {min(missing)!r}"
            )
        return self._checked({key: value for key, value in group.items() if key != "params"})

    def _loaded_value(self, i: int, parameter: Tensor, key: str, value: Any) -> Any:
        """Return a value for the state of a parameter; an array is checked and copied."""
        if not hasattr(value, "shape"):
            number(type(self).__name__, f"{key!r} of parameter {i}", value)
            return value
        if value.shape != parameter.shape:
            raise ValueError(
                f"{key!r} of parameter {i} has shape {value.shape} in this state, but the "
                f"parameter of {type(self).__name__} has shape {parameter.shape}"
            )
        return value.astype(parameter.dtype)

    def __repr__(self) -> str:
        groups = [
            ", ".join(f"{key}={value!r}" for key, value in group.items() if key != "params")
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"


def _check_structure(name: str, state_dict: Mapping[str, Any], sizes: list[int]) -> None:
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"a state of {name} must be a dict, not {state_dict!r:.60}")
    if not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(
            f"this is not a state of {name}: expected the keys 'state' and 'param_groups', got "
            f"{', '.join(map(repr, state_dict)) or 'none'}"
        )
    if (saved_by := state_dict.get("optimizer", name)) != name:
        raise ValueError(
            f"this state does not belong to {name}: it was saved by {saved_by}, which computes "
            f"other steps from it; load it into {saved_by}"
        )
    given = [len(group["params"]) for group in state_dict["param_groups"]]
    if given != sizes or len(state_dict["state"]) != sum(sizes):
        raise ValueError(
            f"this state has {len(given)} groups of {given} parameters, but {name} has "
            f"{len(sizes)} groups of {sizes} parameters"
        )


def _check_state(name: str, i: int, saved: Mapping[str, Any], names: frozenset[str]) -> None:
    """Raise ValueError or TypeError if the state of a parameter is incomplete, or its step bad."""
    if saved and (missing := names - saved.keys()):
        raise ValueError(
            f"the state of parameter {i} does not contain {min(missing)!r}, which {name} needs"
        )
    if saved and "step" in names:
        count(name, f"step of parameter {i}", saved["step"], minimum=0)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value.copy() if hasattr(value, "shape") else value
