"""What ``netlab rfc mirror`` shows: how far it is, and what became of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import wrap

from netlab.escaping import escape
from netlab.rfc.mirroring import Report

_WIDTH = 80
_NUMBERED = re.compile(r"rfc([0-9]+)\.([a-z]+)")


@contextmanager
def progress_bar() -> Iterator[Callable[[Report], None]]:
    """What to call with how far it is: shown on standard error, if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[searchable]:,} searchable"),
        TextColumn("{task.fields[failed]}", style="red"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None, searchable=0, failed="")

        def show(report: Report) -> None:
            failed = f"{len(report.failed):,} failed" if report.failed else ""
            bar.update(
                task,
                total=report.total,
                completed=report.done,
                searchable=report.searchable,
                failed=failed,
            )

        yield show


def report_text(report: Report, folder: str) -> str:
    """The last lines."""
    there = report.kept + report.same + report.fetched
    parts = [f"{report.fetched:,} fetched"]
    if report.same:
        parts.append(f"{report.same:,} not changed")
    if report.kept:
        parts.append(f"{report.kept:,} there before")
    if report.failed:
        parts.append(f"{len(report.failed):,} failed")
    left = report.total - report.done
    if left:
        parts.append(f"{left:,} not asked for")
    files = f"{there:,} files" if there == report.total else f"{there:,} of {report.total:,} files"
    text = f"{files} in {escape(folder)}: {', '.join(parts)}"
    return f"{text}\n{report.searchable:,} texts can be searched" if report.searchable else text


def failures_text(report: Report) -> Iterator[str]:
    """Which files did not come, and why, and what else went wrong, in lines."""
    reasons: dict[str, list[str]] = {}
    for name, why in report.failed:
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        text = f"{', '.join(_ranges(names))}: {escape(why, None)}"
        yield from wrap(f"netlab: {text}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    for what, why in (
        ("stopped asking", report.why),
        ("not all texts can be searched", report.unsearched),
    ):
        if why:
            text = f"netlab: {what}: {escape(why, None)}"
            yield from wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _ranges(names: list[str]) -> list[str]:
    """Names of files in their order, those whose numbers follow each other as one."""
    numbers: dict[str, list[int]] = {}
    found = []
    for name in names:
        matched = _NUMBERED.fullmatch(name)
        if matched:
            numbers.setdefault(matched[2], []).append(int(matched[1]))
        else:
            found.append(name)
    for form in numbers:
        runs: list[list[int]] = []
        for number in sorted(numbers[form]):
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        for first, last in runs:
            single = f"rfc{first}.{form}"
            found.append(single if first == last else f"{single} to rfc{last}.{form}")
    return found
