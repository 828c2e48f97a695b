"""twisted.logger with a level below which nothing is even built.

Twisted hands every event to every observer, and ``twistd`` prints them all.
A line for each connection would drown the rest and cost more than serving it,
so netlab's loggers drop what is below ``set_level`` (``info`` unless told
otherwise) before an event comes into being.
"""

from __future__ import annotations

from typing import Any

from constantly import NamedConstant
from twisted.logger import Logger, LogLevel

from netlab.errors import ConfigurationError

LEVELS = ("debug", "info", "warn", "error", "critical")
_threshold = LogLevel.info


def set_level(name: str) -> None:
    """Lets events of level ``name`` (one of ``LEVELS``) and above through.

    Raises ``ConfigurationError`` for an unknown name.
    """
    global _threshold
    if name not in LEVELS:
        raise ConfigurationError(f"log level {name!r} is not one of {', '.join(LEVELS)}")
    _threshold = LogLevel.lookupByName(name)


def debugging() -> bool:
    """Whether debug events go through: ask before building costly fields."""
    return _threshold is LogLevel.debug


class Log(Logger):
    """A ``twisted.logger.Logger`` that honours ``set_level``."""

    def emit(self, level: NamedConstant, format: str | None = None, **kwargs: Any) -> None:
        """Publishes an event, if its level is high enough."""
        if level >= _threshold:
            super().emit(level, format, **kwargs)
