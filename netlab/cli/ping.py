"""``netlab ping``: what happens to datagrams on their way there and back.

With ``--json`` each line is an object; ``event`` says which:

reply    ``seq bytes rtt_ms duplicate late out_of_order``, and in ``corrupted`` what is
         wrong with it, in words, or null
lost     ``seq``: none came in time. A ``reply`` that is late may follow.
error    ``seq error``: the network or the system says that it did not get there
stray    ``bytes source``, and in ``seq`` whose reply it would be, or null
summary  the last line: ``host address size wait_ms time_ms`` and the figures of
         ``Pings.as_dict``; ``sent`` is ``received + late + lost + waiting``
"""

from __future__ import annotations

import json
import locale
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from netlab.cli import Failed
from netlab.datagram import plot as plotting
from netlab.datagram.destination import DEFAULT_PORT, Destination, parse_destination
from netlab.datagram.lookup import reason
from netlab.datagram.pinging import Pinging, PingSocket
from netlab.datagram.pings import LARGEST, SMALLEST, Fate, Pings, Reply
from netlab.errors import ConfigurationError, Unreachable
from netlab.escaping import escape

TERMINAL = "-"
_WINDOW = 64
"""Packets of a flood that wait for a reply at a time, and"""
_WINDOW_BYTES = 128 * 1024
"""their bytes: more would overflow the buffers of the two sockets, and look like loss."""
_STRAYS_SHOWN = 5
_LONGEST = 86_400.0  # seconds


class _Trouble(Failed):
    """Ends the command with one line on standard error, and the status that ``ping`` ends with."""

    exit_code = 2


def _seconds(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is None or 0.001 <= value <= _LONGEST:  # nan is not
        return value
    raise click.BadParameter(f"{value:g} is not seconds from 0.001 to {_LONGEST:.0f}.")


def _size(ctx: click.Context, parameter: click.Parameter, value: int) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    raise click.BadParameter(
        f"{value} is not from {SMALLEST}, which the header takes, "
        f"to {LARGEST}, which is all that a UDP datagram can hold."
    )


@click.command(
    epilog="Exit status: 0 if at least one reply came, 1 if none did, 2 for other errors."
)
@click.argument("host", required=False, metavar="HOST[:PORT]")
@click.option(
    "-c",
    "--count",
    metavar="N",
    type=click.IntRange(min=1),
    help="Stop after N packets.  [default: on Ctrl-C]",
)
@click.option(
    "-i",
    "--interval",
    metavar="SECONDS",
    type=float,
    callback=_seconds,
    help="From one packet to the next.  [default: 1]",
)
@click.option(
    "-s",
    "--size",
    metavar="BYTES",
    type=int,
    callback=_size,
    default=64,
    show_default=True,
    help=f"Length of each packet, {SMALLEST} to {LARGEST}.",
)
@click.option(
    "-W",
    "--wait",
    metavar="SECONDS",
    type=float,
    callback=_seconds,
    default=1.0,
    show_default=True,
    help="A reply that takes longer is late.",
)
@click.option(
    "--flood",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"Send N packets as fast as replies come, at most {_WINDOW} under way.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only the summary.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object on each line.")
@click.option(
    "--plot",
    is_flag=False,
    flag_value=TERMINAL,
    metavar="[FILE.svg]",
    help="Draw the round-trip times at the end: here, or into a file.",
)
@click.pass_context
def ping(
    ctx: click.Context,
    host: str | None,
    count: int | None,
    interval: float | None,
    size: int,
    wait: float,
    flood: int | None,
    quiet: bool,
    as_json: bool,
    plot: str | None,
) -> None:
    """Send datagrams to a UDP echo (RFC 862) and say what became of each.

    \b
    HOST is a name or an address: localhost, 192.0.2.1:8007, ::1, [::1]:8007.
    The port is 8007 unless given.

    \b
    Examples:
      netlab ping localhost
      netlab ping -c 100 -i 0.01 --plot localhost:8007
      netlab ping --flood 10000 --json localhost
    """
    if plot is not None and plot != TERMINAL and not plot.endswith(".svg"):
        if host is not None:
            raise click.UsageError(f"--plot draws into an .svg file, '{escape(plot)}' is none.")
        host, plot = plot, TERMINAL  # what stands behind --plot was the host
    if host is None:
        raise click.UsageError(f"No host: what shall be pinged? Try: {ctx.command_path} localhost")
    if flood is not None and (count is not None or interval is not None):
        raise click.UsageError("--flood has a count and a pace of its own: leave -c and -i out.")
    if as_json and plot == TERMINAL:
        raise click.UsageError("With --json nothing else is printed: give --plot a file.")
    try:
        destination = parse_destination(host, DEFAULT_PORT)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if plot not in (None, TERMINAL):
        _try_to_write(plot)
    try:
        sock = PingSocket(destination)
    except Unreachable as error:
        raise _Trouble(str(error)) from error
    pings = Pings(session=secrets.randbits(32), size=size, wait=wait)
    kind = _JSON if as_json else _Text
    listener = kind(destination, sock.peer, pings, quiet=quiet or flood is not None)
    listener.began()
    with closing(sock), _stop_signals() as stop:
        pinging = Pinging(
            sock,
            pings,
            listener,
            count=flood or count,
            interval=0.0 if flood else interval or 1.0,
            window=max(1, min(_WINDOW, _WINDOW_BYTES // size)) if flood else None,
            stop=stop,
        )
        pinging.run()
    listener.ended(pinging.duration)
    if plot == TERMINAL:
        _echo("\n" + plotting.draw_text(pings.packets, plain=_is_plain()))
    elif plot is not None:
        title = f"Round-trip times to {destination} ({sock.peer})"
        drawn = plotting.draw_svg(pings.packets, title=title, subtitle=_counts(pings))
        _write(plot, drawn)
    ctx.exit(0 if pings.answered else 1)


class _Output:
    """Prints what happens. A ``netlab.datagram.pinging.Listener``."""

    def __init__(self, destination: Destination, peer: str, pings: Pings, *, quiet: bool) -> None:
        self.destination = destination
        self.peer = peer
        self.pings = pings
        self.quiet = quiet


class _Text(_Output):
    """For a person."""

    def began(self) -> None:
        address = "" if str(self.destination) == self.peer else f" ({self.peer})"
        _echo(f"PING {escape(str(self.destination))}{address}: {self.pings.size} bytes each")

    def replied(self, reply: Reply) -> None:
        if self.quiet:
            return
        notes = [
            ("DUP!", reply.duplicate),
            ("late", reply.late),
            ("out of order", reply.out_of_order),
            (f"corrupted: {reply.corruption}", reply.corruption),
        ]
        _echo(
            f"{reply.size} bytes from {self.peer}: seq={reply.sequence} "
            f"time={_ms(reply.rtt)} ms" + "".join(f" ({note})" for note, true in notes if true)
        )

    def lost(self, sequence: int) -> None:
        if not self.quiet:
            _echo(f"no reply to seq={sequence} within {self.pings.wait:g} s")

    def failed(self, sequence: int | None, error: OSError) -> None:
        if self.quiet:
            return
        text = _why(error)
        if isinstance(error, ConnectionRefusedError):
            text += f": is anything listening on {self.peer}?"
        _echo(text if sequence is None else f"{text} (seq={sequence})")

    def strayed(self, size: int, source: str, sequence: int | None) -> None:
        if self.quiet or self.pings.strays > _STRAYS_SHOWN:
            return
        what = f"{size} bytes from {escape(source)}"
        if sequence is None:
            _echo(f"stray: {what}: no reply to this ping")
        else:
            _echo(f"stray: {what}: the reply to seq={sequence}, but not from {self.peer}")

    def ended(self, duration: float) -> None:
        pings, trips = self.pings, self.pings.round_trips
        _echo(f"\n--- {escape(str(self.destination))} ping statistics ---")
        _echo(f"{_counts(pings)}, time {duration:.3f} s")
        oddities = [
            _some(pings.duplicates, "duplicate"),
            f"{pings.out_of_order} out of order",
            f"{pings.corrupted} corrupted",
        ]
        if pings.errors:
            oddities.append(_some(pings.errors, "error"))
        if pings.strays:
            oddities.append(_some(pings.strays, "stray"))
        _echo(", ".join(oddities))
        if trips.count:
            extremes = (trips.minimum, trips.mean, trips.maximum, trips.mdev)
            ranks = [trips.percentile(percent) for percent in (50, 90, 99)]
            _echo(f"rtt min/avg/max/mdev = {'/'.join(map(_ms, extremes))} ms")
            _echo(
                f"rtt p50/p90/p99 = {'/'.join(map(_ms, ranks))} ms, jitter {_ms(trips.jitter)} ms"
            )
        elif pings.strays and not pings.answered:
            _echo(f"What came were not these packets: is {self.peer} a UDP echo (RFC 862)?")


class _JSON(_Output):
    """For a program."""

    def began(self) -> None:
        pass

    def replied(self, reply: Reply) -> None:
        self._event(
            "reply",
            seq=reply.sequence,
            bytes=reply.size,
            rtt_ms=round(1000 * reply.rtt, 3),
            duplicate=reply.duplicate,
            late=reply.late,
            out_of_order=reply.out_of_order,
            corrupted=reply.corruption or None,
        )

    def lost(self, sequence: int) -> None:
        self._event("lost", seq=sequence)

    def failed(self, sequence: int | None, error: OSError) -> None:
        self._event("error", seq=sequence, error=_why(error))

    def strayed(self, size: int, source: str, sequence: int | None) -> None:
        self._event("stray", seq=sequence, bytes=size, source=source)

    def ended(self, duration: float) -> None:
        self.quiet = False
        self._event(
            "summary",
            host=self.destination.host,
            address=self.peer,
            size=self.pings.size,
            wait_ms=round(1000 * self.pings.wait, 3),
            time_ms=round(1000 * duration, 3),
            **self.pings.as_dict(),
        )

    def _event(self, event: str, **values: Any) -> None:
        if not self.quiet:
            _echo(json.dumps({"event": event, **values}))


def _counts(pings: Pings) -> str:
    waiting = f", {pings.waiting} still under way" if pings.waiting else ""
    return (
        f"{pings.sent_count} sent, {pings.count(Fate.RECEIVED)} received, "
        f"{pings.count(Fate.LATE)} late, {pings.count(Fate.LOST)} lost "
        f"({100 * pings.loss:.3g}%){waiting}"
    )


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _why(error: OSError) -> str:
    return "port unreachable" if isinstance(error, ConnectionRefusedError) else reason(error)


def _ms(seconds: float) -> str:
    """Milliseconds, as precise as it makes sense."""
    milliseconds = 1000 * seconds
    return f"{milliseconds:.{3 if milliseconds < 10 else 1}f}"


@contextmanager
def _stop_signals() -> Iterator[int]:
    """A descriptor that becomes readable when the process is told to end; the second time it ends.

    An exception, as Ctrl-C raises, could come between a packet and its being counted.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore(*_: object) -> None:
        for number in numbers:
            signal.signal(number, before[number])

    with reading, writing:
        old = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            for number in numbers:
                signal.signal(number, restore)
            yield reading.fileno()
        finally:
            restore()
            signal.set_wakeup_fd(old)


def _echo(text: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def _is_plain() -> bool:
    """Whether the terminal cannot be trusted with more than ASCII."""
    encodings = (getattr(sys.stdout, "encoding", None), locale.nl_langinfo(locale.CODESET))
    try:
        for encoding in encodings:
            plotting.UNICODE_CHARACTERS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _try_to_write(path: str) -> None:
    """Fails now rather than after an hour of pinging; leaves alone what is in the file."""
    _write(path, None)


def _write(path: str, text: str | None) -> None:
    try:
        with open(path, "a" if text is None else "w", encoding="utf-8") as file:
            file.write(text or "")
    except OSError as error:
        name = escape(os.fsdecode(path))
        raise _Trouble(f"--plot: cannot write '{name}': {reason(error)}") from error
