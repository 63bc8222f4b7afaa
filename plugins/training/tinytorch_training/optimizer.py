"""What all optimizers share: groups of parameters, their state, and keeping both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import did_you_mean

from tinytorch_training.arguments import not_negative, parameter_list

Array = Any
Check = Callable[[str, str, Any], Any]


class Optimizer:
    """Changes parameters by their gradients. A subclass says how, in `update`.

    Args:
        params: an iterable of tensors, such as `model.parameters()`; or of groups, dicts with
            the tensors under "params" and options that hold for them instead of the defaults.
        defaults: the options, for each group that does not say otherwise.

    Attributes:
        param_groups: the groups. Their options, `lr` above all, may be changed at any time.
        state: what is kept for each parameter from step to step.

    Raises:
        TypeError, ValueError: there are no parameters, or something else than tensors of
            floating numbers; an option is unknown, or its value impossible.
    """

    # The options, each with what checks and converts its value.
    checks: ClassVar[Mapping[str, Check]] = {}

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._defaults = self._checked(defaults)
        self._scratch: dict[Any, tuple[Array, Array]] = {}
        for group in self._groups(params):
            self.add_param_group(group)
        if not any(getattr(p, "requires_grad", False) for p in self.parameters()):
            raise ValueError(
                f"none of the parameters of {type(self).__name__} requires grad, so no step would "
                "change any; make them with requires_grad=True, with the plugin autograd on"
            )

    def update(
        self, parameter: Tensor, grad: Array, state: dict[str, Any], group: Mapping[str, Any]
    ) -> None:
        """Changes one parameter, in place.

        Args:
            parameter: the tensor.
            grad: its gradient, an array, which must not be changed.
            state: what is kept for this parameter from step to step; empty at first.
            group: the options that hold for it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update()")

    def step(self) -> None:
        """Changes every parameter that has a gradient."""
        # Here, because autograd may be off, and what is off is not imported.
        from tinytorch_autograd import no_grad

        with no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    grad = parameter.grad
                    if grad is not None:
                        self.update(parameter, grad, self.state.setdefault(parameter, {}), group)

    def zero_grad(self) -> None:
        """Forgets the gradients: `grad` of every parameter is None again."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds parameters, with options of their own: `{"params": [...], "lr": 0.01}`.

        Raises:
            TypeError, ValueError: as on construction. Nothing is added then.
        """
        name = type(self).__name__
        options = {key: value for key, value in group.items() if key != "params"}
        checked = self._checked({**self._defaults, **options})
        parameters = parameter_list(name, group.get("params", ()))
        known = {id(p) for p in self.parameters()}
        if not known.isdisjoint(map(id, parameters)):
            raise ValueError(f"{name} has one of these parameters already, in another group")
        self.param_groups.append({"params": parameters, **checked})

    def scratch(self, parameter: Tensor) -> tuple[Array, Array]:
        """Two arrays like that of `parameter`, for intermediate results, the same at each step."""
        like = parameter.data
        key = (type(like), like.shape, like.dtype)
        if key not in self._scratch:
            self._scratch[key] = np.empty_like(like), np.empty_like(like)
        return self._scratch[key]

    def state_dict(self) -> dict[str, Any]:
        """All that the optimizer remembers, in plain structures of numbers and arrays.

        Returns:
            "state": for each parameter, in order, what is kept for it; "param_groups": the
            options of each group, with the numbers of its parameters. The arrays are copies.
        """
        number = {p: i for i, p in enumerate(self.parameters())}
        return {
            "state": [
                {key: _copied(value) for key, value in self.state.get(p, {}).items()}
                for p in number
            ],
            "param_groups": [
                {**group, "params": [number[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave, for parameters of the same shapes.

        Raises:
            ValueError: it belongs to other parameters or another optimizer. Nothing is changed.
        """
        name = type(self).__name__
        _check_structure(name, state_dict, [len(g["params"]) for g in self.param_groups])
        options = [self._of_a_state(group) for group in state_dict["param_groups"]]
        parameters = self.parameters()
        states = [
            {key: _fitted(name, i, p, key, value) for key, value in kept.items()}
            for i, (p, kept) in enumerate(zip(parameters, state_dict["state"], strict=True))
        ]
        for group, changed in zip(self.param_groups, options, strict=True):
            group.update(changed)
        self.state = {p: kept for p, kept in zip(parameters, states, strict=True) if kept}

    def parameters(self) -> list[Tensor]:
        """The parameters of all groups, in order."""
        return [p for group in self.param_groups for p in group["params"]]

    def _groups(self, params: Iterable[Any]) -> list[Mapping[str, Any]]:
        """`params` as groups."""
        if isinstance(params, list | tuple) and params and isinstance(params[0], Mapping):
            return list(params)
        return [{"params": params}]

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        name = type(self).__name__
        # Kept by schedules beside the options.
        checks = {**self.checks, "initial_lr": not_negative}
        for key in options:
            if key not in checks:
                hint = did_you_mean(key, self.checks)
                raise ValueError(f"{name} has no option {key!r}. {hint}")
        return {key: checks[key](name, key, value) for key, value in options.items()}

    def _of_a_state(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a group in a state dict, which must be all that this optimizer has."""
        if missing := self.checks.keys() - group.keys():
            raise ValueError(
                f"this state is of another optimizer than {type(self).__name__}: "
                f"it has no option {min(missing)!r}"
            )
        return self._checked({key: value for key, value in group.items() if key != "params"})

    def __repr__(self) -> str:
        groups = [
            ", ".join(f"{key}={value!r}" for key, value in group.items() if key != "params")
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"


def _check_structure(name: str, state_dict: Mapping[str, Any], sizes: list[int]) -> None:
    if not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(
            f"this is no state of {name}, which has the keys 'state' and 'param_groups'; it has "
            f"{', '.join(map(repr, state_dict)) or 'none'}"
        )
    given = [len(group["params"]) for group in state_dict["param_groups"]]
    if given != sizes or len(state_dict["state"]) != sum(sizes):
        raise ValueError(
            f"this state is of {len(given)} groups, of {given} parameters, and {name} has "
            f"{len(sizes)}, of {sizes}"
        )


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "shape") else value


def _fitted(name: str, i: int, parameter: Tensor, key: str, value: Any) -> Any:
    """What was kept for a parameter, copied; an array must have its shape."""
    if not hasattr(value, "shape"):
        return value
    if value.shape != parameter.shape:
        raise ValueError(
            f"{key!r} of parameter {i} has the shape {value.shape} in this state, and the "
            f"parameter of {name} {parameter.shape}"
        )
    return value.astype(parameter.dtype)
