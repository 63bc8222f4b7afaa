"""The error of a program that runs on several ranks."""


class RankError(RuntimeError):
    """Another rank failed, did not answer in time, or ran a different call."""
