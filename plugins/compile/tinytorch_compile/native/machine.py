"""Compiles LLVM's text to machine code, and keeps the machine code in a folder of the user."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

# The environment variable that names the folder; if it is empty, nothing is kept.
CACHE_VARIABLE = "TINYTORCH_COMPILE_CACHE"
_MISSING = (
    'compile(backend="native") needs llvmlite, which is not installed; run '
    'pip install "tinytorch-compile[native]", or use backend="numpy"'
)
# Changes when the same text is compiled in another way.
_OPTIONS = "speed 3"
_DIGEST = hashlib.sha256
_DIGEST_SIZE = 32


def llvm() -> Any:
    """Return `llvmlite.binding`.

    Raises:
        ImportError: llvmlite is not installed.
    """
    try:
        return importlib.import_module("llvmlite.binding")
    except ImportError as error:
        raise ImportError(_MISSING) from error


@functools.cache
def _target() -> Any:
    """Return the kind of processor."""
    binding = llvm()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    _add_functions_of_c()
    return binding.Target.from_triple(binding.get_process_triple())


def _machine() -> Any:
    """Return a new target machine: this processor with all that it can do."""
    binding = llvm()
    return _target().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=_features(), opt=3, reloc="pic", jit=True
    )


@functools.cache
def _features() -> str:
    return str(llvm().get_host_cpu_features().flatten())


def has_feature(name: str) -> bool:
    """Return whether the processor has a feature, such as "avx512f"."""
    return f"+{name}" in _features().split(",")


@functools.cache
def processor() -> str:
    """Return what machine code depends on besides its source."""
    binding = llvm()
    parts = (binding.get_process_triple(), binding.get_host_cpu_name(), _features())
    version = importlib.import_module("llvmlite").__version__
    return "\n".join((*parts, str(binding.llvm_version_info), version, _OPTIONS))


def _add_functions_of_c() -> None:
    """Let machine code find the functions of C's mathematical library."""
    from tinytorch_compile.native.elementwise import C_FUNCTIONS

    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    for name in C_FUNCTIONS:
        for each in (name, f"{name}f"):
            if hasattr(library, each):
                address = ctypes.cast(getattr(library, each), ctypes.c_void_p).value
                llvm().add_symbol(each, address)


class Library:
    """Machine code in memory; freed with the object."""

    def __init__(self, code: bytes) -> None:
        binding = llvm()
        # The engine owns the target machine, so each engine needs its own.
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return int(self._engine.get_function_address(name))


def library(text: str) -> tuple[Library, bool]:
    """Return the machine code of a text, and whether it was in the cache."""
    file = _file_of(text)
    code = None if file is None else _read(file)
    found = code is not None
    if code is None:
        code = _compiled(text)
        if file is not None:
            _write(file, code)
    return Library(code), found


def _compiled(text: str) -> bytes:
    binding, machine = llvm(), _machine()
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


# The cache. Each file holds a digest and the machine code.


def cache_folder() -> Path | None:
    """Return the folder of compiled code, or None if nothing is to be kept."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # Without a home, `~` stays as it is.
    return Path(base, "tinytorch-compile") if base and os.path.isabs(base) else None


def _file_of(text: str) -> Path | None:
    folder = cache_folder()
    digest = _DIGEST(f"{processor()}\n{text}".encode()).hexdigest()
    return None if folder is None else folder / f"{digest}.o"


def _read(file: Path) -> bytes | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    return code if _DIGEST(code).digest() == digest else None


def _write(file: Path, code: bytes) -> None:
    """Write a file at once, so that other processes see all of it or nothing.

    A folder that cannot be written causes a warning only if the user has chosen it.
    """
    import tempfile  # takes 3 ms

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
            temporary.write(_DIGEST(code).digest() + code)
        os.replace(temporary.name, file)
    except OSError as error:
        if os.environ.get(CACHE_VARIABLE):
            _warn(str(file.parent), str(error))


@functools.cache
def _warn(folder: str, error: str) -> None:
    warnings.warn(
        f"compiled code is not kept, because {folder} cannot be written: {error}; set "
        f"{CACHE_VARIABLE} to another folder, or to nothing",
        RuntimeWarning,
        stacklevel=2,
    )
