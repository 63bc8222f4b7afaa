"""The result of one check of `tinytorch doctor`."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A problem of an installation, why it matters, and what to do."""

    what: str
    why: str
    remedy: str


class Report(NamedTuple):
    """What a check looked at, in one line, and the problems that it found."""

    summary: str
    findings: list[Finding]
