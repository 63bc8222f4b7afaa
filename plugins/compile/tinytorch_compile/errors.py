"""The errors and the warning of tinytorch-compile."""

from __future__ import annotations


class CaptureError(RuntimeError):
    """A step cannot be captured. The message names the line, and what to write instead."""


class RecaptureWarning(UserWarning):
    """A step was captured so often that it now runs without being compiled."""


class UnfinishedError(CaptureError):
    """The step has created state, as an optimizer does in its first step. Later calls may not."""


class ExportError(RuntimeError):
    """A step cannot be exported. The message names the function and the line, and the remedy."""
