"""Plugins that each break one rule, for `test_hostile_set.py`."""

from __future__ import annotations

from typing import NamedTuple

HOOK = "from tinytorch_core import hookimpl\n@hookimpl\n"


class Hostile(NamedTuple):
    """A plugin's code and its expected error message; None if it must work."""

    code: str
    message: str | None


def in_hook(hook: str, arguments: str, body: str = "raise RuntimeError('failure')") -> str:
    return f"{HOOK}def {hook}({arguments}): {body}"


HOSTILE = {
    "fails-to-import": Hostile("import no_such_module", "raised ModuleNotFoundError"),
    "exits-at-import": Hostile("raise SystemExit('bye')", "raised SystemExit: bye"),
    "ends-at-import": Hostile(
        "class End(BaseException): pass\nraise End('stop')", "raised End: stop"
    ),
    "recurses-at-import": Hostile("def f(): f()\nf()", "raised RecursionError"),
    "prints-at-import": Hostile(
        "print('printed at import')\n"
        + in_hook("tinytorch_explain_op", "op", "print('printed in a hook')"),
        None,
    ),
    "raises-adding-hooks": Hostile(
        in_hook("tinytorch_add_hookspecs", "manager"), "in tinytorch_add_hookspecs: RuntimeError"
    ),
    "raises-configuring": Hostile(
        in_hook("tinytorch_configure", "config"), "in tinytorch_configure: RuntimeError: failure"
    ),
    "raises-adding-ops": Hostile(
        in_hook("tinytorch_register_ops", "ops"), "in tinytorch_register_ops: RuntimeError: failure"
    ),
    "raises-extending": Hostile(
        in_hook("tinytorch_extend_tensor", "tensor"), "in tinytorch_extend_tensor: RuntimeError"
    ),
    "raises-wrapping": Hostile(
        in_hook("tinytorch_wrap_op", "op, call"), "in tinytorch_wrap_op: RuntimeError: failure"
    ),
    "raises-adding-rules": Hostile(
        HOOK.replace("@hookimpl\n", "@hookimpl(optionalhook=True)\n")
        + "def tinytorch_register_backward(rules): raise RuntimeError('failure')",
        "in tinytorch_register_backward: RuntimeError: failure",
    ),
    "wraps-with-a-number": Hostile(
        in_hook("tinytorch_wrap_op", "op, call", "return 1"), "returned 1 for the op 'add'"
    ),
    "adds-an-op": Hostile(
        in_hook("tinytorch_register_ops", "ops", "ops.add('wanted_by_two', abs, inputs=['x'])"),
        None,
    ),
    "adds-it-again": Hostile(
        in_hook("tinytorch_register_ops", "ops", "ops.add('wanted_by_two', abs, inputs=['x'])"),
        "op 'wanted_by_two' is already provided by plugin 'adds-an-op'",
    ),
    "takes-a-core-method": Hostile(
        in_hook("tinytorch_extend_tensor", "tensor", "tensor.add('reshape', None)"),
        "Tensor.reshape is already provided by the plain Tensor",
    ),
    "wants-another-version": Hostile(
        f"tinytorch_api = (7, 9)\n{in_hook('tinytorch_register_ops', 'ops', 'pass')}",
        "it supports the plugin API 7 to 9, and tinytorch-core has",
    ),
    "misspells-an-argument": Hostile(
        in_hook("tinytorch_register_ops", "opps", "pass"), "Argument(s) {'opps'} are declared"
    ),
    "misspells-a-hook": Hostile(
        in_hook("tinytorch_register_opps", "ops", "pass"), "Did you mean 'tinytorch_register_ops'"
    ),
    "forgets-the-marker": Hostile(
        "def tinytorch_register_ops(ops): pass", "tinytorch_register_ops has no @hookimpl"
    ),
    "cycle-second": Hostile(
        "tinytorch_needs = ('cycle-first',)\n" + in_hook("tinytorch_configure", "config", "pass"),
        "it needs the plugin 'cycle-first', which failed: plugins need or use each other in a",
    ),
    "cycle-first": Hostile(
        "tinytorch_needs = ('cycle-second',)\n" + in_hook("tinytorch_configure", "config", "pass"),
        "plugins need or use each other in a cycle",
    ),
    "needs-the-absent": Hostile(
        "tinytorch_needs = ('unheard-of',)\n" + in_hook("tinytorch_configure", "config", "pass"),
        "it needs the plugin 'unheard-of', which is not installed",
    ),
    "deletes-a-core-method": Hostile(
        "from tinytorch_core.tensor import TensorBase\ndel TensorBase.reshape\n"
        + in_hook("tinytorch_register_ops", "ops", "pass"),
        "its import changed TensorBase.reshape, which has been restored",
    ),
    "changes-the-tensor": Hostile(
        "from tinytorch_core import Tensor\n"
        + in_hook("tinytorch_register_ops", "ops", "Tensor.failure = abs"),
        "tinytorch_register_ops changed Tensor.failure, which has been restored",
    ),
    "places-a-value-on-the-tensor": Hostile(
        "from tinytorch_core import Tensor\nTensor.__array_priority__ = 1000\n"
        + in_hook("tinytorch_register_ops", "ops", "pass"),
        "its import changed Tensor.__array_priority__, which has been restored",
    ),
    "places-a-value-in-a-hook": Hostile(
        "from tinytorch_core.tensor import TensorBase\n"
        + in_hook("tinytorch_configure", "config", "TensorBase.units = 'm'"),
        "tinytorch_configure changed TensorBase.units, which has been restored",
    ),
    "ignores-numpy-errors": Hostile(
        "import numpy as np\nnp.seterr(all='ignore')\n"
        + in_hook("tinytorch_register_ops", "ops", "pass"),
        "its import changed NumPy's handling of floating-point errors (np.seterr), which has been",
    ),
    "calls-back-numpy-errors": Hostile(
        "import numpy as np\n"
        + in_hook("tinytorch_wrap_op", "op", "np.seterrcall(print); np.seterr(over='call')"),
        "tinytorch_wrap_op changed NumPy's handling of floating-point errors (np.seterr), which",
    ),
    "reads-annotations": Hostile(
        "import inspect\nfrom tinytorch_core import Tensor\ninspect.get_annotations(Tensor)\n"
        "Tensor.__annotations__\n" + in_hook("tinytorch_register_ops", "ops", "pass"),
        None,
    ),
    "changes-numpy": Hostile(
        "import numpy as np\ndef add(x, y): return 5\nnp.add = add\n"
        + in_hook("tinytorch_register_ops", "ops", "pass"),
        "its import changed numpy.add, which has been restored",
    ),
    "has:a,name": Hostile(
        in_hook("tinytorch_register_ops", "ops", "pass"), "cannot be written in a configuration"
    ),
    "comes-twice": Hostile(
        in_hook("tinytorch_register_ops", "ops", "pass"), "several distributions provide a plugin"
    ),
}

A_CLASS = """
from tinytorch_core import hookimpl
class Plugin:
    @hookimpl
    def tinytorch_register_ops(self, ops): pass
"""
