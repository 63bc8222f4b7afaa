"""`tinytorch ops`: each op, who provides and who wraps it, and what runs it."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import __version__, plugins
from tinytorch_core.cli.session import aside, started_surface
from tinytorch_core.cli.table import facts, shortened, table
from tinytorch_core.errors import TinyTorchError, did_you_mean
from tinytorch_core.ops import Op
from tinytorch_core.surface import Surface

CORE = "core"

DESCRIPTION = """\
Lists each op of the core and of the plugins that are on: who provides it, the method of Tensor
and the NumPy functions that run it, and the plugins that wrap it, the innermost first. Further
columns are what plugins tell about it. With names, all details of these ops.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "ops",
        help="every op, who provides and who wraps it, and what runs it",
        description=DESCRIPTION,
        epilog="Exit status 2: there is no op of that name, or the configuration is wrong.",
    )
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="an op to tell all about, also by a method's or NumPy's name: tanh, __add__, np.exp",
    )
    parser.add_argument("--json", action="store_true", help="print all details as JSON")


def run(chosen: argparse.Namespace) -> int:
    """Prints what is known of the ops."""
    surface = started_surface()
    found = [op for name in chosen.names for op in _named(surface, name)]
    found = found or list(surface.ops.values())
    with aside():
        records = [_record(surface, op) for op in found]
    if chosen.json:
        print(json.dumps({"ops": records}, indent=2, ensure_ascii=False))
    elif chosen.names:
        print("\n".join(map(_details, records)), end="")
    else:
        print(_table(records), end="")
    return 0


def _named(surface: Surface, name: str) -> list[Op]:
    """The op of that name, or those that a method or a NumPy function of that name runs."""
    if name in surface.ops:
        return [surface.ops[name]]
    found = [op for op in surface.ops.values() if name in _also_called(op)]
    if not found:
        known = {*surface.ops}.union(*map(_also_called, surface.ops.values()))
        raise TinyTorchError(f"there is no op {name!r}. {did_you_mean(name, known)}{_not_on()}")
    return found


def _also_called(op: Op) -> list[str]:
    return [*_methods(op), *map(_numpy_name, op.numpy)]


def _not_on() -> str:
    names = ", ".join(status.name for status in plugins.status() if not status.on)
    return f" Not on, and perhaps with such an op: {names}." if names else ""


def _methods(op: Op) -> list[str]:
    return [*op.methods, *filter(None, [op.reflected])]


def _numpy_name(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    name = getattr(function, "__name__", str(function))
    return f"np{module.removeprefix('numpy')}.{name}" if module.startswith("numpy") else name


def _record(surface: Surface, op: Op) -> dict[str, Any]:
    origins = {plugin.title: plugin for plugin in surface.plugins}
    provider = origins.get(op.provider)
    return {
        "name": op.name,
        "plugin": provider.name if provider else None,
        "distribution": provider.origin if provider else f"tinytorch-core {__version__}",
        "signature": f"{op.name}{_bare(op.signature)}",
        "inputs": list(op.inputs),
        "methods": _methods(op),
        "numpy": [_numpy_name(function) for function in op.numpy],
        "wrapped_by": surface.wrappers.get(op.name, []),
        "in_place": op.in_place,
        "facts": surface.explain(op),
        "doc": _doc(op),
    }


def _doc(op: Op) -> str | None:
    if op.doc is None:
        return None
    text = inspect.cleandoc(op.doc)
    # NumPy's ufuncs have long ones, which speak of arguments that the op has not.
    borrowed = isinstance(op.forward, np.ufunc) and op.doc == op.forward.__doc__
    return text.split("\n\n")[1] if borrowed else text


def _bare(signature: inspect.Signature) -> inspect.Signature:
    """A signature without annotations, which speak of arrays where Tensors go."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return inspect.Signature(parameters)


def _table(records: Sequence[dict[str, Any]]) -> str:
    labels = list(dict.fromkeys(label for record in records for label in record["facts"]))
    header = ["OP", "PROVIDER", "METHOD", "NUMPY", "WRAPPED BY", *map(str.upper, labels)]
    return table(header, [_row(record, labels) for record in records])


def _row(record: dict[str, Any], labels: Sequence[str]) -> list[str]:
    return [
        record["name"],
        record["plugin"] or CORE,
        shortened(", ".join(record["methods"][:1]), 24),
        shortened(", ".join(record["numpy"]), 20),
        shortened(", ".join(record["wrapped_by"]), 20),
        *(shortened(record["facts"].get(label, ""), 32) for label in labels),
    ]


def _details(record: dict[str, Any]) -> str:
    pairs = [
        ("provider", f"{record['plugin'] or CORE} ({record['distribution']})"),
        ("signature", record["signature"]),
        ("inputs", ", ".join(record["inputs"])),
        ("methods", ", ".join(f"Tensor.{name}" for name in record["methods"])),
        ("NumPy", ", ".join(record["numpy"])),
        ("wrapped by", ", ".join(record["wrapped_by"])),
        *record["facts"].items(),
    ]
    doc = f"\n{record['doc']}\n" if record["doc"] else ""
    return f"{record['name']}\n{facts(pairs)}{doc}"
