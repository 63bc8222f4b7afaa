"""`tinytorch ops`: show each op, the plugins that provide and wrap it, and what runs it."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import __version__, plugins
from tinytorch_core.cli.session import prints_to_stderr, started_surface
from tinytorch_core.cli.table import as_json, facts, shortened, table
from tinytorch_core.errors import TinyTorchError, did_you_mean, printable
from tinytorch_core.ops import Op
from tinytorch_core.source import numpy_name
from tinytorch_core.surface import SurfaceBuilder

DESCRIPTION = """\
List the ops of the core and of the plugins that are on: the provider, the method of Tensor and
the NumPy functions that run the op, and the plugins that wrap it, innermost first. With names
(an op, a method or a NumPy function: tanh, __add__, np.linalg.inv), show all details of these ops.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "ops",
        help="list the ops, their providers and the plugins that wrap them",
        description=DESCRIPTION,
        epilog="Exit status 2: an op is unknown, or the configuration is wrong.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="an op to show in detail")
    parser.add_argument("--json", action="store_true", help="print all details as JSON")


def run(args: argparse.Namespace) -> int:
    """Print a table of all ops, or the details of some."""
    surface = started_surface()
    with prints_to_stderr():
        found = [op for name in args.names for op in _named(surface, name)]
        records = [_record(surface, op) for op in found or surface.ops.values()]
    if args.json:
        print(as_json({"ops": records}))
    elif args.names:
        print("\n".join(map(_details, records)), end="")
    else:
        print(_table(records), end="")
    return 0


def _named(surface: SurfaceBuilder, name: str) -> list[Op]:
    """Return the op of that name, or those that a method or NumPy function of that name runs."""
    if name in surface.ops:
        return [surface.ops[name]]
    ops = surface.ops.values()
    names = {
        op.name: [*op.methods, *filter(None, [op.reflected]), *map(numpy_name, op.numpy)]
        for op in ops
    }
    function = _numpy_function(name)
    found = [op for op in ops if name in names[op.name] or function in op.numpy]
    if not found and function is not None:
        found = [surface.numpy_op(function)]
    if not found:
        hint = did_you_mean(name, {*names}.union(*names.values()))
        if hint.startswith("Known:"):  # several hundred names
            hint = "`tinytorch ops` lists the ops."
        message = f"no op is named {name!r}. {hint}"
        if off := ", ".join(status.name for status in plugins.status() if not status.on):
            message += f" These plugins are not on and may provide it: {off}."
        raise TinyTorchError(message)
    return found


def _numpy_function(name: str) -> Callable[..., Any] | None:
    """Return a NumPy function that tensors can override: `np.linalg.inv`, `np.add.reduce`."""
    function: Any = np
    for part in name.removeprefix("numpy.").removeprefix("np.").split("."):
        function = getattr(function, part, None)
    # NumPy's dispatcher to `__array_function__` has the attribute `_implementation`.
    overridable = _is_of_ufunc(function) or hasattr(function, "_implementation")
    return function if overridable else None


def _is_of_ufunc(function: Any) -> bool:
    """Return whether a function is a ufunc, or a method of one that computes with arrays."""
    name, owner = getattr(function, "__name__", None), getattr(function, "__self__", None)
    method = name in ("accumulate", "at", "outer", "reduce", "reduceat")
    return isinstance(owner if method else function, np.ufunc)


def _record(surface: SurfaceBuilder, op: Op) -> dict[str, Any]:
    own = f"numpy {np.__version__}" if op.numpy_call else f"tinytorch-core {__version__}"
    origins = {plugin.title: (plugin.name, plugin.origin) for plugin in surface.plugins}
    plugin, distribution = origins.get(op.provider, (None, own))
    # Without annotations, which name arrays instead of Tensors.
    parameters = [p.replace(annotation=p.empty) for p in op.arguments]
    return {
        "name": op.name,
        "plugin": plugin,
        "distribution": distribution,
        "replaced_by": [origins[title][0] for title in op.replaced_by],
        "signature": f"{op.name}{inspect.Signature(parameters)}",
        "inputs": list(op.inputs),
        "methods": [*op.methods, *filter(None, [op.reflected])],
        "numpy": list(map(numpy_name, op.numpy)),
        "wrapped_by": surface.wrappers.get(op.name, []),
        "stages": surface.stages.get(op.name, []),
        "in_place": op.in_place,
        "numpy_call": op.numpy_call,
        "facts": surface.explain(op),
        "doc": _doc(op),
    }


def _doc(op: Op) -> str | None:
    if op.doc is None:
        return None
    text = inspect.cleandoc(op.doc)
    of_ufunc = _is_of_ufunc(op.forward)
    of_numpy = of_ufunc or str(getattr(op.forward, "__module__", "")).startswith("numpy")
    if op.doc == op.forward.__doc__ and of_numpy:
        # NumPy's docstrings are long; a ufunc's summary follows its signature.
        first, *others = text.split("\n\n")
        return others[0] if of_ufunc and others else first
    return text


def _provider(record: dict[str, Any]) -> str:
    return record["plugin"] or ("NumPy" if record["numpy_call"] else "core")


def _providers(record: dict[str, Any]) -> str:
    """Return who provides an op, and who has replaced its forward function."""
    return " > ".join([_provider(record), *record["replaced_by"]])


def _table(records: list[dict[str, Any]]) -> str:
    labels = list(dict.fromkeys(label for record in records for label in record["facts"]))
    rows = [
        [
            record["name"],
            shortened(_providers(record), 24),
            shortened(", ".join(record["methods"][:1]), 24),
            shortened(", ".join(record["numpy"]), 20),
            shortened(", ".join(record["wrapped_by"]), 20),
            *(shortened(record["facts"].get(label, ""), 32) for label in labels),
        ]
        for record in records
    ]
    return table(["OP", "PROVIDER", "METHOD", "NUMPY", "WRAPPED BY", *map(str.upper, labels)], rows)


def _details(record: dict[str, Any]) -> str:
    wrappers = zip(record["wrapped_by"], record["stages"], strict=True)
    pairs = [
        ("provider", f"{_provider(record)} ({record['distribution']})"),
        ("replaced by", ", ".join(record["replaced_by"])),
        ("signature", record["signature"]),
        ("inputs", ", ".join(record["inputs"])),
        ("methods", ", ".join(f"Tensor.{name}" for name in record["methods"])),
        ("NumPy", ", ".join(record["numpy"])),
        ("wrapped by", ", ".join(f"{plugin} ({stage})" for plugin, stage in wrappers)),
        *record["facts"].items(),
    ]
    doc = f"\n{record['doc']}\n" if record["doc"] else ""
    return printable(f"{record['name']}\n{facts(pairs)}{doc}")
