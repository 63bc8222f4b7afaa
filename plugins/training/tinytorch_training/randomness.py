"""Finding the random generators of a model, and restoring the state of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def generators_of(model: Any) -> dict[str, np.random.Generator]:
    """Return the NumPy generators that are attributes of a model's modules, such as Dropout.

    Args:
        model: an object with `named_modules()`.

    Returns:
        The generators by the dotted names of the attributes. A generator that several modules
        share occurs several times.
    """
    return {
        f"{name}.{attribute}".lstrip("."): value
        for name, module in model.named_modules()
        for attribute, value in vars(module).items()
        if isinstance(value, np.random.Generator)
    }


def set_state(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Restore the state of a generator from a value of `generator.bit_generator.state`.

    Raises:
        ValueError: the state belongs to a different kind of bit generator.
    """
    own = type(generator.bit_generator).__name__
    if state.get("bit_generator") != own:
        raise ValueError(
            f"this random state belongs to a {state.get('bit_generator')} generator, but the "
            f"generator is a {own}; use the same kind as when the state was saved"
        )
    generator.bit_generator.state = state
