"""Writing a file in one step: it is there as a whole, or the old one is as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress

from tinytorch_core.errors import ConfigError


def write(path: str, text: str) -> None:
    """Puts a file in the place of an old one, or of none, in one step.

    Raises:
        ConfigError: it cannot be written. The old one is as it was.
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
            f"{path} cannot be written: {error.strerror}. Check the rights of the file and of its "
            "folder; nothing was changed."
        ) from error


def _copy_mode(old: str, new: str) -> None:
    if os.path.exists(old):
        shutil.copymode(old, new)
    else:
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(new, 0o666 & ~umask)
