"""Einstein's summation, in all forms that `np.einsum` takes."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import run_function

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import unbroadcast

Array = Any

family = Family()

# In the order of their codes, as NumPy sorts them for an output that is not given.
LETTERS = string.ascii_uppercase + string.ascii_lowercase


def contract(*operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """`np.einsum` with one letter for every axis, and the output given."""
    for x in operands:
        if isinstance(x, Tensor):
            options = {"subscripts": subscripts, "optimize": optimize}
            return run_function(contract, *operands, **options)
    return np.einsum(subscripts, *operands, optimize=optimize)


def contract_rule(
    grad: Array, operands: Sequence[Array], subscripts: str, optimize: Any
) -> Sequence[Array]:
    """The sum of products of `grad` and the other operands.

    An axis that only this operand has is filled with the gradient; a letter that stands for two
    of its axes has its gradient on their diagonal.
    """
    inputs, out = subscripts.split("->")
    terms = inputs.split(",")
    lengths = _lengths(terms, operands)
    found = []
    for i, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        given = [out, *terms[:i], *terms[i + 1 :]]
        factors = [grad, *operands[:i], *operands[i + 1 :]]
        made = _restore(term, given, factors, lengths)
        text = f"{','.join(given)}->{made}"
        whole = contract(*factors, subscripts=text, optimize=bool(optimize))
        found.append(whole if whole.shape == operand.shape else unbroadcast(whole, operand.shape))
    return found


def _restore(term: str, given: list[str], factors: list[Array], lengths: dict[str, int]) -> str:
    """Adds the factors that restore the axes of a term, and returns a letter for each axis."""
    dtype = factors[0].dtype
    fresh = (letter for letter in LETTERS if letter not in lengths)
    axes = ""
    for letter in term:
        axis = letter
        if letter in axes:
            axis = next(fresh)
            factors.append(np.eye(lengths[letter], dtype=dtype))
            given.append(letter + axis)
        elif not any(letter in other for other in given):
            factors.append(np.ones(lengths[letter], dtype=dtype))
            given.append(letter)
        axes += axis
    return axes


def _lengths(terms: Sequence[str], operands: Sequence[Array]) -> dict[str, int]:
    """The length that each letter stands for; an axis of length 1 fits any."""
    lengths: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for letter, length in zip(term, x.shape, strict=True):
            lengths[letter] = length if lengths.get(letter, 1) == 1 else lengths[letter]
    return lengths


family.function("einsum", contract, contract_rule, forward=contract, inputs=("operands",))


@family.composed(np.einsum)
def einsum(*operands: Any, optimize: Any = False) -> Array:
    """Products of elements with equal letters, summed over the letters that the output lacks."""
    subscripts, arrays = _as_text(operands)
    terms, out = _with_letters(subscripts, [np.ndim(x) for x in arrays])
    if out is None:
        return NotImplemented
    return contract(*arrays, subscripts=f"{','.join(terms)}->{out}", optimize=optimize)


def _as_text(operands: Sequence[Any]) -> tuple[str, list[Array]]:
    """The subscripts as text, also where they come as lists of numbers after each operand."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    arrays, lists = list(operands[0 : len(operands) // 2 * 2 : 2]), list(operands[1::2])
    text = ",".join(map(_letters, lists))
    return text + ("->" + _letters(operands[-1]) if len(operands) % 2 else ""), arrays


def _letters(numbers: Sequence[Any]) -> str:
    return "".join("..." if n is Ellipsis else LETTERS[n] for n in numbers)


def _with_letters(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str | None]:
    """The terms and the output with letters for the dots; no output where it cannot be."""
    inputs, arrow, out = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        return terms, None
    hidden = [n - len(term.replace("...", "")) for term, n in zip(terms, ndims, strict=True)]
    most = max((n for n, term in zip(hidden, terms, strict=True) if "..." in term), default=0)
    free = [letter for letter in LETTERS if letter not in subscripts]
    dots = "".join(free[-most:]) if most else ""
    if not arrow:
        named = inputs.replace("...", "").replace(",", "")
        out = "..." + "".join(sorted(letter for letter in named if named.count(letter) == 1))
    elif dots and "..." not in out:
        return terms, None
    filled = [term.replace("...", dots[most - n :]) for term, n in zip(terms, hidden, strict=True)]
    fits = all(len(term) == n for term, n in zip(filled, ndims, strict=True))
    return filled, out.replace("...", dots) if fits else None
