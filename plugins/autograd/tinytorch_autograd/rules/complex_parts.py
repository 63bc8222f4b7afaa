"""The conjugate, the real part and the imaginary part, which are not holomorphic.

Their rules are G f_z + conj(G f_z*), which `tinytorch_autograd.complex_numbers` derives.
"""

from __future__ import annotations

from tinytorch_autograd.complex_numbers import conj, real_part
from tinytorch_autograd.rules.family import Family

family = Family()

# f = z*: f_z = 0, f_z* = 1.
family.rule("conjugate", lambda grad: conj(grad))
# f = (z + z*) / 2: f_z = f_z* = 1/2.
family.rule("real", lambda grad: real_part(grad))
# f = (z - z*) / 2i: f_z = -i/2, f_z* = i/2.
family.rule(
    "imag",
    lambda grad, x_dtype: real_part(grad) * -1j if x_dtype.kind == "c" else 0 * grad,
)
