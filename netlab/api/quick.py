"""Calls that are read in one step: the message, the method and its arguments together.

One decoder, made from all methods of an api, does it. What it does not know, or finds
wrong, it leaves to the session, which reads the message again and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

import msgspec
from msgspec import UNSET, Raw, UnsetType

from .jsonrpc.codecs import Codec, Id

if TYPE_CHECKING:
    from .servant import Entry

_NO_ARGUMENTS = tuple[()] | UnsetType


class Answer(msgspec.Struct, tag_field="jsonrpc", tag="2.0", gc=False):
    """The answer to a call: encoded, it is the whole message."""

    id: int
    result: Any


Quick: TypeAlias = tuple[Callable[[bytes], Any], dict[type, "Entry"]]
"""What decodes a message, and the methods by the class of what comes out."""


def quick_reader(entries: Mapping[str, Entry], codec: Codec) -> Quick:
    """Reads calls of those of ``entries`` that are ``simple``, with all of their arguments.

    What is decoded has an ``id``, and as ``params`` a tuple of the arguments, or what
    ``unpacked`` makes one of. Calls of the others are of classes that are not told of.
    """
    methods: dict[type, Entry] = {}
    requests: list[type] = []
    for name, entry in entries.items():
        request = _request(name, _params(entry) if entry.simple else Raw)
        requests.append(request)
        if entry.simple:
            methods[request] = entry
    decode = codec.decoder(Union[tuple(requests)] if methods else Any).decode  # noqa: UP007
    return decode, methods


def unpacked(params: Any) -> tuple[int, tuple[Any, ...]]:
    """How many members a message with these ``params`` must have in all, and the arguments."""
    if params is UNSET:
        return 3, ()
    args = msgspec.structs.astuple(params)
    return 4 + len(args), args


def _params(entry: Entry) -> Any:
    """The type of its arguments: by position or by name, all of them."""
    arguments = entry.declared.signature.arguments
    if not arguments:
        return _NO_ARGUMENTS
    fields = [(each.name, each.type) for each in arguments]
    named = msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, gc=False)
    kinds: Any = tuple(kind for _, kind in fields)
    return tuple[kinds] | named


def _request(name: str, params: Any) -> type:
    """The type of a call of the method ``name``: that is its tag."""
    fields: list[Any] = [  # as most clients order them: that is read fastest
        ("jsonrpc", Literal["2.0"]),
        ("id", Id | UnsetType, UNSET),
        ("params", params, UNSET) if params == _NO_ARGUMENTS else ("params", params),
    ]
    return msgspec.defstruct(
        "Request", fields, tag_field="method", tag=name, kw_only=True, gc=False
    )
