"""What the options of ``twistd netlab``'s services have in common."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from twisted.python import usage

from netlab.errors import ConfigurationError
from netlab.impair import Impairment, StreamImpairment
from netlab.ledger import Recorder, open_recorder
from netlab.transport import DEFAULT_GRACE, LEVELS, Log, set_level

Parameter = list[Any]


def grace() -> Parameter:
    """The option of how long to wait at the end; ``None`` when it was not given."""

    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(text)
        return value

    text = f"seconds to finish in when told to stop [default: {DEFAULT_GRACE:g}]"
    return parameter("grace", None, text, read, "a number of seconds")


def parameter(
    name: str, default: Any, description: str, read: Callable[[str], Any], what: str
) -> Parameter:
    """An option that is read by ``read``; what it cannot read is said with the option's name."""

    def coerce(value: Any) -> Any:
        if not isinstance(value, str):  # the default
            return value
        try:
            return read(value)
        except ValueError:
            raise usage.UsageError(f"--{name}: {value!r} is not {what}") from None

    coerce.coerceDoc = ""  # type: ignore[attr-defined]
    return [name, None, default, description, coerce]


def count(name: str, default: int | None, description: str) -> Parameter:
    """An option that is a whole number from 1 up."""

    def read(text: str) -> int:
        value = int(text)
        if value < 1:
            raise ValueError(text)
        return value

    return parameter(name, default, description, read, "a whole number from 1 up")


def seconds(name: str, default: float | None, description: str) -> Parameter:
    """An option that is a time limit in seconds, 0 for none."""

    def read(text: str) -> float | None:
        value = float(text)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(text)
        return value or None

    return parameter(name, default, description, read, "a number of seconds (0 for no limit)")


def whole(name: str, default: int | None, description: str) -> Parameter:
    """An option that is a whole number from 0 up."""

    def read(text: str) -> int:
        value = int(text)
        if value < 0:
            raise ValueError(text)
        return value

    return parameter(name, default, description, read, "a whole number from 0 up")


class CommonOptions(usage.Options):
    """What every service is told in the same words."""

    program = "netlab"
    """Who says what is wrong, and whose version is shown: a distribution's name."""

    parent: Any = None

    optParameters = [
        ["log-level", None, None, f"what to log: {', '.join(LEVELS)} [default: info]"],
        grace(),
    ]

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parses; what is wrong is said in one line, not below a page of help."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            print(f"{self.program}: {error} (see --help)", file=sys.stderr)
            sys.exit(1)

    def opt_version(self) -> None:
        """Shows the version and exits."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            shown = version(self.program)
        except PackageNotFoundError:
            shown = "is not installed"
        print(f"{self.program} {shown}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Checks what the parser cannot."""
        if self["grace"] is None:  # what was given before the service's name holds for it
            given = self.parent["grace"] if isinstance(self.parent, CommonOptions) else None
            self["grace"] = DEFAULT_GRACE if given is None else given
        if self["log-level"] is not None:
            try:
                set_level(self["log-level"])
            except ConfigurationError as error:
                raise usage.UsageError(f"--log-level: {error}") from error

    def read(self, name: str, reader: Callable[[Any], Any]) -> Any:
        """``reader`` of an option's value; its ``ConfigurationError`` is said with the name."""
        try:
            return reader(self[name])
        except ConfigurationError as error:
            raise usage.UsageError(f"--{name}: {error}") from error


def impairment(options: CommonOptions, parse: Callable[..., Impairment | StreamImpairment]) -> Any:
    """What ``--impair`` and ``--seed`` mean together; ``None`` without ``--impair``."""
    if options["impair"] is None:
        if options["seed"] is not None:
            raise usage.UsageError("--seed: there is nothing to seed without --impair")
        return None
    return options.read("impair", lambda text: parse(text, seed=options["seed"]))


def recorder(ledger: str | None = None, pcap: str | None = None) -> Recorder | None:
    """The recorder that writes the files named, or ``None`` when none is."""
    if not ledger and not pcap:
        return None
    try:
        return open_recorder(ledger, pcap, on_error=_tell)
    except ConfigurationError as error:
        raise usage.UsageError(str(error)) from error


def _tell(text: str) -> None:
    Log().warn("{text}", text=text)
