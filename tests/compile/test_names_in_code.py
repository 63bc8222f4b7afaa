"""The names in the code of a function are found as the module dis finds them."""

import argparse
import dis
import os
from types import CodeType

from tinytorch_compile.names_in_code import globals_in, imports_in


def parts(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from parts(constant)


def test_global_names_and_imports_are_those_in_the_instructions():
    for module in (argparse, os):
        with open(module.__file__, encoding="utf-8") as file:
            code = compile(file.read(), module.__file__, "exec")
        found = [i for part in parts(code) for i in dis.get_instructions(part)]
        kinds = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL")
        names = dict.fromkeys(i.argval for i in found if i.opname in kinds)
        imports = dict.fromkeys(i.argval for i in found if i.opname == "IMPORT_NAME")
        assert globals_in(code) == (*names,)
        assert imports_in(code) == (*imports,)


def test_names_of_code_with_more_than_256_names_are_found():
    lines = [f"    name_{i}" for i in range(300)]
    space = {}
    exec("\n".join(["def f():", *lines]), space)
    assert globals_in(space["f"].__code__) == (*(f"name_{i}" for i in range(300)),)
