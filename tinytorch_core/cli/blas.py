"""Whether NumPy's OpenBLAS runs the kernels that this processor could run, and what it costs.

An OpenBLAS that does not know a processor falls back to kernels for an older one. That the newer
ones are faster is measured, each in a process of its own, before it is said.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tinytorch_core.cli.report import Finding, Report

VARIABLE = "OPENBLAS_CORETYPE"

# OpenBLAS's names for the families of kernels of x86 that use AVX-512, and at least AVX2.
_AVX512 = {"skylakex", "cooperlake", "sapphirerapids"}
_AVX2 = _AVX512 | {"haswell", "zen"}

# A smaller gain could be noise.
WORTH_IT = 1.15

# On one core, and the fastest of some runs, so that other work on the machine matters little.
_MEASURE = """\
import time
import numpy as np
size, best = 1024, float("inf")
x = np.ones((size, size), np.float32)
x @ x
for _ in range(8):
    begin = time.perf_counter()
    x @ x
    best = min(best, time.perf_counter() - begin)
print(2e-9 * size**3 / best)
"""


def check_blas() -> Report:
    """Compares OpenBLAS's kernels with the processor, and measures where they are older."""
    core = openblas_core()
    if core is None:
        return Report("NumPy uses another BLAS than OpenBLAS, which is not examined", [])
    better = better_core(core, processor_features())
    if better is None:
        return Report(f"OpenBLAS runs its {core} kernels, which fit the processor", [])
    now, then = speed(), speed(better)
    if now is None or then is None:
        return Report(f"OpenBLAS runs its {core} kernels; how fast cannot be measured", [])
    figures = f"{now:.0f} GFLOP/s on one core, and {then:.0f} with those for {better}"
    summary = f"OpenBLAS runs its {core} kernels: {figures}"
    return Report(summary, [_finding(core, better, figures)] if then > WORTH_IT * now else [])


def _finding(core: str, better: str, figures: str) -> Finding:
    return Finding(
        f"NumPy's OpenBLAS runs its {core} kernels, which are older than this processor",
        f"a product of matrices reaches {figures}, as just measured",
        f"set {VARIABLE}={better} in the environment, before Python starts; "
        "or install a NumPy with a newer OpenBLAS",
    )


def openblas_core() -> str | None:
    """The name of the processor family whose kernels NumPy's OpenBLAS runs, if it can be told."""
    for file in _libraries():
        for symbol in ("scipy_openblas_get_corename64_", "openblas_get_corename"):
            try:
                function = getattr(ctypes.CDLL(str(file)), symbol)
            except (OSError, AttributeError):
                continue
            function.argtypes, function.restype = (), ctypes.c_char_p
            return str(function().decode())
    return None


def _libraries() -> Iterator[Path]:
    home = Path(np.__file__).parent
    for folder in (home.parent / "numpy.libs", home / ".dylibs", home / ".libs"):
        yield from sorted(folder.glob("*openblas*"))


def processor_features() -> Mapping[str, bool]:
    """What NumPy has found of this processor, by NumPy's names."""
    try:
        module = importlib.import_module("numpy._core._multiarray_umath")
        return dict(module.__cpu_features__)
    except (ImportError, AttributeError):  # NumPy makes no promise about it
        return {}


def better_core(core: str, features: Mapping[str, bool]) -> str | None:
    """The kernels that a processor with these features could run instead, or None.

    >>> better_core("Haswell", {"AVX512_SKX": True, "AVX2": True})
    'SkylakeX'
    >>> better_core("SkylakeX", {"AVX512_SKX": True, "AVX2": True})
    """
    avx512 = features.get("AVX512_SKX") or features.get("X86_V4")
    avx2 = features.get("AVX2") or features.get("X86_V3")
    if avx512 and core.lower() not in _AVX512:
        return "SkylakeX"
    return "Haswell" if avx2 and core.lower() not in _AVX2 else None


def speed(core: str | None = None) -> float | None:
    """The GFLOP/s on one core of a product of matrices; None where it cannot be run."""
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1"} | ({VARIABLE: core} if core else {})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _MEASURE],  # so that no file beside the user is run
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return float(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
