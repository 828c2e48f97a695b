"""``netlab call``: a method of a server, called from the shell."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem

from netlab.api import Code, RpcError
from netlab.api.blocking import Caller
from netlab.cli import Failed
from netlab.cli.calling import as_json, connection_options, discover, open_caller, print_json
from netlab.cli.offers import Offer, Offered, read
from netlab.errors import NetlabError, RemoteProtocolError
from netlab.escaping import escape
from netlab.target import DEFAULT, looks_like_endpoint

_NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_NUMBER = re.compile(r"-[0-9.]")
_PATIENCE = 1.0  # seconds that somebody waits who has pressed the tabulator key


class _Words(click.Command):
    """A command whose words may be negative numbers; other unknown options are refused."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Looks through the words before ``--``."""
        literal = len(args) - args.index("--") - 1 if "--" in args else 0
        rest = super().parse_args(ctx, args)
        words: tuple[str, ...] = ctx.params.get("words") or ()
        for word in words[: len(words) - literal]:
            if word.startswith("-") and word != "-" and not _NUMBER.match(word):
                name = word.partition("=")[0]
                known = [option for each in self.get_params(ctx) for option in each.opts]
                near = get_close_matches(name, known)
                raise click.NoSuchOption(name, possibilities=near, ctx=ctx)
        return rest


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of methods, as the server tells them."""
    # bash takes a colon for the end of a word.
    words = re.sub(r" ?(:+) ?", r"\1", " ".join(ctx.params.get("words") or ())).split()
    endpoint = words.pop(0) if words and looks_like_endpoint(words[0]) else DEFAULT
    if words:
        return []  # the method is there already
    options = {name: ctx.params.get(name) for name in ("framing", "codec", "ca")}
    try:
        with open_caller(
            endpoint,
            options["framing"] or "length-prefix",
            options["codec"] or "json",
            options["ca"],
            _PATIENCE,
        ) as caller:
            offered = read(caller.decode(discover(caller, "", _PATIENCE)))
    except (NetlabError, click.ClickException, OSError):
        return []  # there is nobody to be told
    return [
        CompletionItem(name, help=each.summary)
        for name, each in offered.offers.items()
        if name.startswith(incomplete) and (incomplete or not name.startswith("rpc."))
    ]


@click.command(
    cls=_Words,
    context_settings={"ignore_unknown_options": True},
    epilog='For completion: eval "$(_NETLAB_COMPLETE=bash_source netlab)", or zsh_source.',
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="[ENDPOINT] METHOD [NAME=VALUE]...",
    shell_complete=_complete,
)
@connection_options
def call(words: tuple[str, ...], framing: str, codec: str, ca: str | None, timeout: float) -> None:
    """Call METHOD of a server and print its result as JSON.

    A VALUE that is JSON is that: 3, true, '[1, 2]', '"3"'. All else is text.
    Without NAME= it is taken by its position. Of a subscription each item is
    printed on a line, until Ctrl-C or its end.

    \b
    ENDPOINT is tcp:HOST:PORT, tls:HOST:PORT or unix:PATH;
    without it, tcp:localhost:8032. What there is to call: netlab describe.

    \b
    Examples:
      netlab call add a=1 b=2
      netlab call tcp:localhost:8032 add 1 2
      netlab call countdown start=3
    """
    endpoint = DEFAULT
    if looks_like_endpoint(words[0]):
        endpoint, *rest = words
        if not rest:
            where = escape(endpoint)
            raise click.UsageError(f"No method: what shall be called? Try: netlab describe {where}")
        words = tuple(rest)
    method, *given = words
    values, named = _arguments(given)
    limit = timeout or None
    with open_caller(endpoint, framing, codec, ca, limit) as caller:
        offered = _offered(caller, framing, limit)
        offer = offered.offers.get(method) if offered is not None else None
        params = _params(values, named, offer)
        try:
            if offer is not None and offer.item is not None:
                _follow(caller, method, params, limit)
            else:
                print_json(as_json(caller, caller.request(method, params, limit)), pretty=True)
        except RpcError as error:
            raise Failed(_reason(error, method, params, offered)) from error


def _offered(caller: Caller, framing: str, timeout: float | None) -> Offered | None:
    """What the server says of itself, if it does."""
    with suppress(RpcError):
        data = discover(caller, framing, timeout)
        with suppress(RemoteProtocolError):
            return read(caller.decode(data))
    return None


def _follow(caller: Caller, method: str, params: Any, timeout: float | None) -> None:
    """Prints the items of a subscription."""
    dropped = 0
    items = caller.subscribe(method, params, timeout, bytes)
    for each in items:
        if items.dropped > dropped:
            click.echo(f"netlab: {items.dropped - dropped} items were left out", err=True)
            dropped = items.dropped
        print_json(as_json(caller, each), pretty=False)


# -- arguments


def _arguments(words: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Those by position, and those by name."""
    values: list[Any] = []
    named: dict[str, Any] = {}
    for word in words:
        matched = _NAMED.fullmatch(word)
        if matched is None:
            values.append(_value(word))
        elif matched[1] in named:
            raise click.UsageError(f"{matched[1]} is given twice.")
        else:
            named[matched[1]] = _value(matched[2])
    return values, named


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except UnicodeEncodeError:
        raise click.UsageError(f"'{escape(text)}' is not UTF-8.") from None
    except RecursionError:
        raise click.UsageError("Too many arrays and objects in each other.") from None
    except msgspec.DecodeError:
        return text


def _params(values: list[Any], named: dict[str, Any], offer: Offer | None) -> Any:
    """Arguments as JSON-RPC has them: all by position, or all by name."""
    if not values or not named:
        return values or named or None
    if offer is None:
        raise click.UsageError("Give all arguments by position, or all by name (NAME=VALUE).")
    names = [each.name for each in offer.arguments]
    if len(values) > len(names):
        raise click.UsageError(f"Too many arguments: {offer.usage}")
    taken = dict(zip(names, values, strict=False))
    for name in named:
        if name in taken:
            raise click.UsageError(f"{name} is given twice, by position too: {offer.usage}")
    return {**taken, **named}


# -- what went wrong


def _reason(error: RpcError, method: str, params: Any, offered: Offered | None) -> str:
    """What the server answered, in one line."""
    if error.code == Code.METHOD_NOT_FOUND and offered is not None and method not in offered.offers:
        return _unknown(method, offered)
    text = f"{error.message} ({error.code})"
    data = error.data
    if isinstance(data, dict) and isinstance(data.get("usage"), str):
        argument = data.get("argument")
        given = params.get(argument) if isinstance(params, dict) else None
        if "Expected `str`" in error.message and isinstance(given, int | float):
            shown = msgspec.json.encode(given).decode()
            text += f"; for text write {argument}='{msgspec.json.encode(shown).decode()}'"
        text += f"; usage: {data['usage']}"
    elif isinstance(data, dict) and set(data) == {"incident"}:
        pass  # the message has it
    elif data is not None:
        text += f": {data if isinstance(data, str) else msgspec.json.encode(data).decode()}"
    return escape(text, 1000)


def _unknown(method: str, offered: Offered) -> str:
    names = [name for name in offered.offers if not name.startswith("rpc.")]
    near = (
        get_close_matches(method, names, 3)
        or [name for name in names if method.lower() in name.lower()][:3]
    )
    text = f"there is no method '{escape(method)}'"
    if near:
        return f"{text}: is it {' or '.join(map(escape, near))}?"
    shown = ", ".join(map(escape, names[:12])) + (", ..." if len(names) > 12 else "")
    return f"{text}: there are {shown}" if names else f"{text}, and no other"
