"""Registers what computes a NumPy function in ONNX, and completes the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.export.graph import METHODS, RULES

Rule = Callable[..., Any]


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Decorate a function that takes the arguments of these NumPy functions and adds nodes.

    A rule may call NumPy functions of symbols, which add the nodes of their own rules. A rule for a
    function of NumPy also holds for the method of arrays of the same name.
    """

    def decorate(function: Rule) -> Rule:
        for each in functions:
            RULES[each] = function
            name = getattr(each, "__name__", "")
            if name in METHODS and getattr(np, name, None) is each:
                RULES.setdefault(getattr(np.ndarray, name), function)
        return function

    return decorate
