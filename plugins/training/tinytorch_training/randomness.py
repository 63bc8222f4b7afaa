"""Random state: which generators a model draws from, and how their states are set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def generators_of(model: Any) -> dict[str, np.random.Generator]:
    """The NumPy generators that are attributes of a model's modules, as a Dropout's is.

    Args:
        model: something with `named_modules()`.

    Returns:
        The generators by the dotted names of the attributes. One that several modules share is
        there several times.
    """
    return {
        f"{name}.{attribute}".lstrip("."): value
        for name, module in model.named_modules()
        for attribute, value in vars(module).items()
        if isinstance(value, np.random.Generator)
    }


def set_state(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Sets a generator to a state that `generator.bit_generator.state` gave.

    Raises:
        ValueError: it is the state of another kind of generator.
    """
    own = type(generator.bit_generator).__name__
    if state.get("bit_generator") != own:
        raise ValueError(
            f"this is the random state of {state.get('bit_generator')!r}, and the generator is "
            f"of {own}; use the same kind as when the state was kept"
        )
    generator.bit_generator.state = state
