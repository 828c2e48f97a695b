"""Tables at 80 columns, targets, and the JSON of a run. Not run by itself."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness import Outcome

SUBJECT = "netlab"


@dataclass(frozen=True)
class Target:
    """What netlab promises: at most ``limit`` times a peer's figure, or ``limit`` outright."""

    limit: float
    peer: str = ""

    def judge(self, outcomes: Mapping[str, Outcome], unit: str) -> tuple[str, bool | None]:
        """Return a line for people, and whether it is met (``None``: cannot be told)."""
        says = f"{SUBJECT} <= {figure(self.limit)} " + (f"x {self.peer}" if self.peer else unit)
        subject, peer = outcomes.get(SUBJECT), outcomes.get(self.peer)
        if subject is None or (self.peer and peer is None):
            return f"{says:<44}not measured", None
        if not subject.samples or (peer is not None and not peer.samples):
            return f"{says:<44}not measured  FAIL", False
        reached = subject.median / (peer.median if peer else 1)
        met = reached <= self.limit
        return f"{says:<44}{figure(reached):>9}     {'pass' if met else 'FAIL'}", met


def figure(value: float) -> str:
    """Write a number with three digits that matter."""
    size = abs(value)
    digits = 0 if size == 0 or size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def percent(share: float) -> str:
    """Write a share: of one core, of what was sent."""
    return f"{100 * share:.0f}%" if share == 0 or share >= 0.01 else "<1%"


# What was seen beside the figure: key, heading, width, how to write it.
DETAILS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("p50_us", "p50 us", 7, figure),
    ("p99_us", "p99 us", 7, figure),
    ("server_share", "busy", 6, percent),
    ("load_share", "load", 6, percent),
    ("lost_share", "lost", 6, percent),
)


def table(title: str, unit: str, outcomes: Mapping[str, Outcome]) -> str:
    """Return the block of one row: a line per server, and only columns that say something."""
    details = [
        detail
        for detail in DETAILS
        if any(outcome.middle(detail[0]) is not None for outcome in outcomes.values())
    ]
    headings = "".join(f"{heading:>{width}}" for _key, heading, width, _write in details)
    subject = outcomes.get(SUBJECT)
    lines = [
        f"{title}  [{unit}]",
        f"  {'server':<9}{'median':>9}{'min':>9}{'max':>9}{SUBJECT + '/it':>10}{headings}",
    ]
    for name, outcome in outcomes.items():
        if outcome.failure:
            lines += wrapped(f"  {name:<9} ", outcome.failure)
        if not outcome.samples:
            continue
        compared = subject is not None and subject.samples and name != SUBJECT
        ratio = figure(subject.median / outcome.median) if subject and compared else ""
        line = f"  {name:<9}{figure(outcome.median):>9}{figure(outcome.lowest):>9}"
        line += f"{figure(outcome.highest):>9}{ratio:>10}"
        for key, _heading, width, write in details:
            seen = outcome.middle(key)
            line += f"{'' if seen is None else write(seen):>{width}}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def wrapped(start: str, text: str) -> list[str]:
    """Return text in lines of 80 columns, set off by its start."""
    return textwrap.wrap(text, 80, initial_indent=start, subsequent_indent=" " * len(start))


def machine() -> dict[str, str]:
    """Say what the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    facts = {"cpu": cpu, "kernel": platform.release(), "python": platform.python_version()}
    for package in ("Twisted", "uvloop", "pyOpenSSL"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def as_json(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Return everything that was measured in one row."""
    return {
        name: {
            "median": outcome.median if outcome.samples else None,
            "failure": outcome.failure or None,
            "samples": [{"value": sample.value, **sample.detail} for sample in outcome.samples],
        }
        for name, outcome in outcomes.items()
    }
