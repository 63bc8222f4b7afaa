"""Write a file in one step: it is written completely, or the old one is unchanged."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress

from tinytorch_core.errors import ConfigError


def write(path: str, text: str) -> None:
    """Create or replace a file.

    Raises:
        ConfigError: the file cannot be written; an old one is unchanged.
    """
    path = os.path.realpath(path)
    new = None
    try:
        handle, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".tinytorch-")
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        _copy_mode(path, new)
        os.replace(new, path)
    except OSError as error:
        if new is not None:
            with suppress(OSError):
                os.unlink(new)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}. Check the permissions of the file and "
            "its folder; nothing was changed."
        ) from error


def _copy_mode(old: str, new: str) -> None:
    if os.path.exists(old):
        shutil.copymode(old, new)
    else:
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(new, 0o666 & ~umask)
