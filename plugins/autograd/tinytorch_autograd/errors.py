"""The exceptions of autograd."""

from __future__ import annotations


class AutogradError(RuntimeError):
    """Base class of the errors of autograd. The operation failed and changed nothing."""


class NonScalarError(AutogradError):
    """`backward()` without a gradient on a tensor of several elements, or on a complex tensor."""


class LostGradientError(AutogradError):
    """A gradient would be lost.

    A tracked tensor was used as an array, a number or an option, or another thread has disabled
    autograd while ops were recorded.
    """


class LostGradientWarning(UserWarning):
    """A tracked tensor was converted to a Python number, which has no gradient."""


class UntrackedError(AutogradError):
    """A gradient of, or with respect to, a tensor that does not require grad."""


class GraphFreedError(AutogradError):
    """The graph was freed by an earlier backward pass."""


class NoRuleError(AutogradError):
    """The graph contains an op without a backward rule."""


class InPlaceError(AutogradError):
    """A write into a tracked tensor."""


class NotDifferentiableError(AutogradError):
    """A derivative at a point where it does not exist or is not unique."""


class GradcheckError(AutogradError):
    """The backward pass and differences of values disagree."""


class AnomalyError(AutogradError):
    """An op produced nan or inf under `detect_anomaly()`, or its saved arrays were modified."""


class ModifiedError(AnomalyError):
    """An array that an op had saved for its backward pass was written into.

    Writes through a Tensor are always detected, and others, as in `x.data[0] = 1`, under
    `detect_anomaly()`.
    """
