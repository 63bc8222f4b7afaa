"""What `tinytorch doctor` finds: what it is, why it matters, and what to do."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """Something about an installation that needs attention."""

    what: str
    why: str
    remedy: str


class Report(NamedTuple):
    """What came of one check: a word on what is there, and what is wrong with it."""

    summary: str
    findings: list[Finding]
