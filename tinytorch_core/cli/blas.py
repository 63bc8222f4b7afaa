"""The check of `tinytorch doctor` on the kernels that OpenBLAS, NumPy's usual BLAS, runs.

OpenBLAS chooses kernels for the processor unless OPENBLAS_CORETYPE names others. The check compares
the variable with the processor's features; it measures nothing, so each run has the same result.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping

from tinytorch_core.cli.report import Finding, Report

VARIABLE = "OPENBLAS_CORETYPE"

# OpenBLAS's names for x86 kernels, by the instructions that they use.
_AVX512 = {"skylakex", "cooperlake", "sapphirerapids"}
_AVX2 = {"haswell", "zen"}
_OLDER = {
    *("katmai", "coppermine", "northwood", "prescott", "banias", "atom", "core2", "penryn"),
    *("dunnington", "nehalem", "sandybridge", "athlon", "opteron", "opteron_sse3", "barcelona"),
    *("nano", "bobcat", "bulldozer", "piledriver", "steamroller", "excavator"),
}


def check_blas() -> Report:
    """Find an OPENBLAS_CORETYPE that forces kernels for an older processor than this one."""
    core = os.environ.get(VARIABLE)
    if not core:
        return Report(f"{VARIABLE} is not set: OpenBLAS chooses its kernels", [])
    better = better_core(core, processor_features())
    return Report(f"{VARIABLE} is {core}", [] if better is None else [_finding(core, better)])


def _finding(core: str, better: str) -> Finding:
    return Finding(
        f"{VARIABLE}={core} makes OpenBLAS run kernels for an older processor than this one",
        f"{better} kernels use newer instructions, so matrix products are usually faster",
        f"unset {VARIABLE}; if NumPy's OpenBLAS is too old to know this processor, set "
        f"{VARIABLE}={better} before Python starts",
    )


def processor_features() -> Mapping[str, bool]:
    """Return the processor's features under NumPy's names."""
    try:
        module = importlib.import_module("numpy._core._multiarray_umath")
        return dict(module.__cpu_features__)
    except (ImportError, AttributeError):  # a private name of NumPy
        return {}


def better_core(core: str, features: Mapping[str, bool]) -> str | None:
    """Return newer kernels for a processor with these features, or None.

    >>> better_core("Haswell", {"AVX512_SKX": True, "AVX2": True})
    'SkylakeX'
    >>> better_core("SkylakeX", {"AVX512_SKX": True, "AVX2": True})
    """
    core = core.lower()
    avx512 = features.get("AVX512_SKX") or features.get("X86_V4")
    avx2 = features.get("AVX2") or features.get("X86_V3")
    if avx512 and core in _AVX2 | _OLDER:
        return "SkylakeX"
    return "Haswell" if avx2 and core in _OLDER else None
