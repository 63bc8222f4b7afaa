"""What goes wrong when gradients are asked for, in words."""

from __future__ import annotations


class AutogradError(RuntimeError):
    """Base class: a gradient was asked for that cannot be had as asked. Nothing was changed."""


class NonScalarError(AutogradError):
    """`backward()` without a gradient on a tensor of several elements, or of a complex one."""


class UntrackedError(AutogradError):
    """A gradient was asked of, or for, a tensor that does not require one."""


class GraphFreedError(AutogradError):
    """The graph was walked before, and freed on the way."""


class NoRuleError(AutogradError):
    """The graph contains an op that has no backward rule."""


class InPlaceError(AutogradError):
    """A write into a tensor whose history is recorded."""


class NotDifferentiableError(AutogradError):
    """A derivative was asked for at a point where it does not exist, or is not determined."""


class GradcheckError(AutogradError):
    """Derivatives by the backward pass and by differences do not agree."""


class AnomalyError(AutogradError):
    """Under `detect_anomaly()`: an op made nan or inf, or what it had saved was written into."""
