"""Where things are unless said otherwise: the upstream, and a user's cache."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_UPSTREAM = "https://www.rfc-editor.org/rfc/"


def default_folder() -> Path | None:
    """The folder ``netlab/rfc`` among this user's caches; ``None`` if there is no such place.

    Source: the XDG Base Directory Specification.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isdir(home):
            return None
        base = os.path.join(home, ".cache")
    return Path(base, "netlab", "rfc")
