"""np.einsum, in every form of subscripts that NumPy accepts."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import run_function

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.shapes import unbroadcast

Array = Any

family = Family()

# Upper case first, as NumPy sorts letters for an output that is not given.
LETTERS = string.ascii_uppercase + string.ascii_lowercase


def contract(*operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """Return np.einsum for subscripts with a letter for every axis and an explicit output."""
    for x in operands:
        if isinstance(x, Tensor):
            options = {"subscripts": subscripts, "optimize": optimize}
            return run_function(contract, *operands, **options)
    return np.einsum(subscripts, *operands, optimize=optimize)


def contract_rule(
    grad: Array, operands: Sequence[Array], subscripts: str, optimize: Any
) -> Sequence[Array]:
    """The sum of products of `grad` and the other operands.

    The gradient is constant along an axis whose letter occurs only in this operand. For a letter
    that occurs twice in this operand the gradient lies on the diagonal.
    """
    inputs, out = subscripts.split("->")
    terms = inputs.split(",")
    lengths = _lengths(terms, operands)
    grads = []
    for i, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        factor_terms = [out, *terms[:i], *terms[i + 1 :]]
        factors = [grad, *operands[:i], *operands[i + 1 :]]
        axes = add_missing_axes(term, factor_terms, factors, lengths)
        text = f"{','.join(factor_terms)}->{axes}"
        full = contract(*factors, subscripts=text, optimize=bool(optimize))
        grads.append(full if full.shape == operand.shape else unbroadcast(full, operand.shape))
    return grads


def add_missing_axes(
    term: str, factor_terms: list[str], factors: list[Array], lengths: dict[str, int]
) -> str:
    """Append factors, ones or an identity, for axes of `term` that the given factors lack.

    Returns:
        A letter for each axis of the gradient of `term`, none of them twice.
    """
    dtype = factors[0].dtype
    fresh = (letter for letter in LETTERS if letter not in lengths)
    axes = ""
    for letter in term:
        axis = letter
        if letter in axes:
            axis = next(fresh)
            factors.append(np.eye(lengths[letter], dtype=dtype))
            factor_terms.append(letter + axis)
        elif not any(letter in other for other in factor_terms):
            factors.append(np.ones(lengths[letter], dtype=dtype))
            factor_terms.append(letter)
        axes += axis
    return axes


def _lengths(terms: Sequence[str], operands: Sequence[Array]) -> dict[str, int]:
    """Return the length of the axes of each letter; an axis of length 1 broadcasts."""
    lengths: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for letter, length in zip(term, x.shape, strict=True):
            lengths[letter] = length if lengths.get(letter, 1) == 1 else lengths[letter]
    return lengths


family.function("einsum", contract, contract_rule, forward=contract, inputs=("operands",))


@family.composed(np.einsum)
def einsum(*operands: Any, optimize: Any = False) -> Array:
    """Return products of elements with equal indices, summed over indices not in the output."""
    subscripts, given = _as_text(operands)
    arrays = [as_array(x) for x in given]
    terms, out = _with_letters(subscripts, [np.ndim(x) for x in arrays])
    if out is None:
        return NotImplemented
    return contract(*arrays, subscripts=f"{','.join(terms)}->{out}", optimize=optimize)


def _as_text(operands: Sequence[Any]) -> tuple[str, list[Array]]:
    """Return the subscripts as text, and the operands; NumPy also takes subscripts as lists."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    arrays, lists = list(operands[0 : len(operands) // 2 * 2 : 2]), list(operands[1::2])
    text = ",".join(map(_letters, lists))
    return text + ("->" + _letters(operands[-1]) if len(operands) % 2 else ""), arrays


def _letters(numbers: Sequence[Any]) -> str:
    return "".join("..." if n is Ellipsis else LETTERS[n] for n in numbers)


def _with_letters(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str | None]:
    """Return the terms and the output with letters for the dots; None for an invalid output."""
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
