"""Chapter 8: the files of a package."""

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "tinytorch-hardswish"
version = "0.1.0"
dependencies = ["tinytorch-core"]

[project.entry-points.tinytorch]
hardswish = "tinytorch_hardswish"

[tool.setuptools]
py-modules = ["tinytorch_hardswish"]
"""


def hardswish_rule(grad, x):
    """Return grad times the derivative: 0 below -3, 1 above 3, and (2x + 3) / 6 between."""
    middle = (x > -3) & (x < 3)
    return grad * (middle * (2 * x + 3) / 6 + (x >= 3))
