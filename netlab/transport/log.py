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
from twisted.python.failure import Failure

from netlab.errors import ConfigurationError
from netlab.escaping import escape

LEVELS = ("debug", "info", "warn", "error", "critical")
_threshold = LogLevel.info
_LONGEST_LINE = 2000


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

    def failure(
        self,
        format: str,
        failure: Failure | None = None,
        level: NamedConstant = LogLevel.critical,
        **kwargs: Any,
    ) -> None:
        """Publishes ``failure`` (the exception being handled unless given) with its traceback.

        An error's text may quote what a peer sent, so the traceback is escaped.
        """
        if failure is None:
            failure = Failure()
        plain = failure.getTraceback

        def escaped(*args: Any, **options: Any) -> str:
            lines = plain(*args, **options).split("\n")
            return "\n".join(escape(line, _LONGEST_LINE) for line in lines)

        failure.getTraceback = escaped  # type: ignore[method-assign]
        super().failure(format, failure, level, **kwargs)
