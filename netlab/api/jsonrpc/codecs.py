"""JSON and MessagePack: how the messages of JSON-RPC become bytes, and back.

A message is written by joining its encoded parts, so a value that was encoded
once (a result that was checked, an item that goes to a thousand subscribers)
is not encoded again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from netlab.errors import ConfigurationError

from .errors import Code, RpcError, error_of

Id: TypeAlias = int | str | float | None
"""What a request may be numbered with."""

ITEM = "$/item"

UNREADABLE = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)
"""What decoding bytes of a stranger may raise."""

_NOTHING = Raw(b"")
_SHARED_ITEMS = 256
_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NO_CONTAINERS = bytes(set(range(256)) - set(_CONTAINERS))


class Envelope(msgspec.Struct, gc=False):
    """One message of JSON-RPC; what it carries is still encoded."""

    jsonrpc: Literal["2.0"]
    id: int | str | float | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: Raw = _NOTHING
    result: Raw = _NOTHING
    error: Raw = _NOTHING


class _Id(msgspec.Struct):
    id: Raw = _NOTHING


class Codec(ABC):
    """One way to write messages. It is a value without state: share it."""

    name: ClassVar[str]

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.encode_any = protocol.Encoder().encode
        self._envelope = protocol.Decoder(Envelope).decode
        self._array = protocol.Decoder(list[Raw]).decode
        self._members = protocol.Decoder(dict[str, Raw]).decode
        self._id = protocol.Decoder(_Id).decode
        self._any = protocol.Decoder().decode
        self._items: dict[int, tuple[bytes, bytes]] = {}

    # -- values

    def encode(self, value: Any) -> bytes:
        """``value`` encoded. Raises ``TypeError`` or ``ValueError`` when it cannot be."""
        try:
            encoded: bytes = self.encode_any(value)
        except (RecursionError, OverflowError, msgspec.MsgspecError) as error:
            raise ValueError(f"it cannot be encoded: {error}") from None
        return encoded

    def decode(self, data: bytes | Raw, kind: Any = Any) -> Any:
        """The value in ``data``, as ``kind``. Raises one of ``UNREADABLE``."""
        return self._protocol.decode(data, type=kind)

    def decoder(self, kind: Any) -> Any:
        """A ``msgspec`` decoder of ``kind``."""
        return self._protocol.Decoder(kind)

    # -- messages that came

    @abstractmethod
    def read(self, data: bytes, max_depth: int) -> Envelope:
        """The one message in ``data``.

        Raises one of ``UNREADABLE`` when it is not that, or when a member has two values,
        and ``RpcError`` when it is too deep.
        """

    def read_batch(self, data: bytes) -> list[Raw]:
        """The elements of a batch; raises one of ``UNREADABLE`` when it is no array."""
        elements: list[Raw] = self._array(data)
        return elements

    def read_members(self, data: bytes | Raw) -> dict[str, Raw]:
        """The members of an object; raises one of ``UNREADABLE`` when it is none."""
        members: dict[str, Raw] = self._members(data)
        return members

    def parse(self, data: bytes) -> Any:
        """Any value; raises one of ``UNREADABLE``."""
        return self._any(data)

    def read_id(self, data: bytes | Raw) -> bytes:
        """The encoded id of a message, exactly as it came."""
        return bytes(self._id(data).id)

    @abstractmethod
    def is_sound(self, data: bytes, members: int, max_depth: int) -> bool:
        """Whether ``data``, in which ``members`` were found, needs no ``check``.

        That is so when none of them is there twice, and nothing is too deep. It is seen
        at a glance: what is ``False`` may be sound all the same. Raises ``UnicodeDecodeError``.
        """

    @abstractmethod
    def check(self, data: bytes, max_depth: int) -> None:
        """Reads all of ``data``; raises ``RpcError`` when it is no message or too deep."""

    @abstractmethod
    def is_array(self, data: bytes) -> bool:
        """Whether this value is an array."""

    @abstractmethod
    def is_object(self, data: bytes) -> bool:
        """Whether this value is an object."""

    # -- messages to be sent: each part is encoded already

    @abstractmethod
    def request(self, id: bytes, method: bytes, params: bytes | None) -> bytes:
        """A request."""

    @abstractmethod
    def notification(self, method: bytes, params: bytes | None) -> bytes:
        """A notification."""

    @abstractmethod
    def result(self, id: bytes, result: bytes) -> bytes:
        """The answer to a request."""

    @abstractmethod
    def error(self, id: bytes, error: bytes) -> bytes:
        """The error that answers a request."""

    @abstractmethod
    def batch(self, messages: Sequence[bytes]) -> bytes:
        """Messages as one array."""

    def item(self, subscription: int) -> tuple[bytes, bytes]:
        """What goes before and after the value of an item of ``subscription``.

        The same objects for all connections, as long as the number is small.
        """
        around = self._items.get(subscription)
        if around is None:
            around = self._around(subscription)
            if subscription <= _SHARED_ITEMS:
                self._items[subscription] = around
        return around

    @abstractmethod
    def _around(self, subscription: int) -> tuple[bytes, bytes]:
        """See ``item``."""

    def error_object(self, error: RpcError) -> bytes:
        """The encoded error object. Raises ``TypeError`` or ``ValueError`` for its data."""
        shown: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.data is not None:
            shown["data"] = error.data
        return self.encode(shown)


def _too_deep(value: Any, limit: int) -> bool:
    """Whether arrays and objects are in each other more than ``limit`` deep."""
    level = [value]
    for _ in range(limit):
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is list or kind is tuple:
                below += each
            elif kind is dict:
                below += each.values()
                below += [key for key in each if type(key) is tuple]
        level = below
        if not level:
            return False
    return any(type(each) in (list, tuple, dict) for each in level)


def _depth_error(limit: int) -> RpcError:
    return error_of(Code.INVALID_REQUEST, f"more than {limit} arrays and objects in each other")


class _Twice(Exception):
    """A member of an object is there twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Twice(name)
    return members


_CAREFUL = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=len, parse_float=len)


class JsonCodec(Codec):
    """JSON (RFC 8259) in UTF-8, without white space."""

    name = "json"

    def __init__(self) -> None:
        super().__init__(msgspec.json)

    def read(self, data: bytes, max_depth: int) -> Envelope:
        """See ``Codec.read``."""
        if not data.isascii():
            data.decode()
        envelope: Envelope = self._envelope(data)
        if envelope.method is UNSET or envelope.method == ITEM:
            return envelope  # an answer: nobody else reads it, and its type bounds its depth
        members = 2
        if envelope.id is not UNSET:
            members += 1
        params = bytes(envelope.params)
        if params:
            members += 1
            if params[0] == 0x7B:
                members += len(self._members(params))
        if not self.is_sound(data, members, max_depth):
            self.check(data, max_depth)
        return envelope

    def is_sound(self, data: bytes, members: int, max_depth: int) -> bool:
        """See ``Codec.is_sound``."""
        if not data.isascii():
            data.decode()
        # Each member has a colon. When there are no more colons than members that were
        # found, none of them is there twice, and no object is within another.
        # Those in strings do not count; without escapes each string ends at the next quote.
        if data.count(b":") != members and (
            b"\\" in data or b"".join(data.split(b'"')[::2]).count(b":") != members
        ):
            return False
        # An array has two brackets: in short messages there is no need to count them.
        return len(data) < 2 * (max_depth - 3) or data.count(b"[") <= max_depth - 3

    def check(self, data: bytes, max_depth: int) -> None:
        """See ``Codec.check``."""
        try:
            value = _CAREFUL.decode(data.decode())
        except _Twice as error:
            shown = str(error)[:40]
            raise error_of(Code.INVALID_REQUEST, f"the member {shown!r} is there twice") from None
        except RecursionError:
            raise _depth_error(max_depth) from None
        if data.count(b"[") + data.count(b"{") > max_depth and _too_deep(value, max_depth):
            raise _depth_error(max_depth)

    def is_array(self, data: bytes) -> bool:
        """See ``Codec.is_array``."""
        return data[0] == 0x5B

    def is_object(self, data: bytes) -> bool:
        """See ``Codec.is_object``."""
        return data[0] == 0x7B

    def request(self, id: bytes, method: bytes, params: bytes | None) -> bytes:
        """See ``Codec.request``."""
        if params is None:
            return b'{"jsonrpc":"2.0","id":%b,"method":%b}' % (id, method)
        return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (id, method, params)

    def notification(self, method: bytes, params: bytes | None) -> bytes:
        """See ``Codec.notification``."""
        if params is None:
            return b'{"jsonrpc":"2.0","method":%b}' % method
        return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (method, params)

    def result(self, id: bytes, result: bytes) -> bytes:
        """See ``Codec.result``."""
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, result)

    def error(self, id: bytes, error: bytes) -> bytes:
        """See ``Codec.error``."""
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id, error)

    def batch(self, messages: Sequence[bytes]) -> bytes:
        """See ``Codec.batch``."""
        return b"[%b]" % b",".join(messages)

    def _around(self, subscription: int) -> tuple[bytes, bytes]:
        """See ``Codec.item``."""
        head = b'{"jsonrpc":"2.0","method":"$/item","params":{"subscription":%d,"value":'
        return head % subscription, b"}}"


_MEMBER = {
    name: msgspec.msgpack.encode(name)
    for name in ("id", "method", "params", "result", "error", "subscription", "value", "$/item")
}
_VERSION = msgspec.msgpack.encode("jsonrpc") + msgspec.msgpack.encode("2.0")


class MsgpackCodec(Codec):
    """MessagePack: the same messages as maps with text keys."""

    name = "msgpack"

    def __init__(self) -> None:
        super().__init__(msgspec.msgpack)

    def read(self, data: bytes, max_depth: int) -> Envelope:
        """See ``Codec.read``; of a member that is there twice the last value counts."""
        envelope: Envelope = self._envelope(data)
        if envelope.id != envelope.id:
            raise ValueError("the id is not a number")
        if not self.is_sound(data, 0, max_depth):
            self.check(data, max_depth)
        return envelope

    def is_sound(self, data: bytes, members: int, max_depth: int) -> bool:
        """See ``Codec.is_sound``."""
        return len(data) <= max_depth or len(data.translate(None, _NO_CONTAINERS)) <= max_depth

    def check(self, data: bytes, max_depth: int) -> None:
        """See ``Codec.check``."""
        try:
            value = self._any(data)
        except RecursionError:
            raise _depth_error(max_depth) from None
        if _too_deep(value, max_depth):
            raise _depth_error(max_depth)

    def is_array(self, data: bytes) -> bool:
        """See ``Codec.is_array``."""
        return 0x90 <= data[0] <= 0x9F or data[0] in (0xDC, 0xDD)

    def is_object(self, data: bytes) -> bool:
        """See ``Codec.is_object``."""
        return 0x80 <= data[0] <= 0x8F or data[0] in (0xDE, 0xDF)

    def request(self, id: bytes, method: bytes, params: bytes | None) -> bytes:
        """See ``Codec.request``."""
        parts = [b"\x83", _VERSION, _MEMBER["id"], id, _MEMBER["method"], method]
        return self._with_params(parts, params)

    def notification(self, method: bytes, params: bytes | None) -> bytes:
        """See ``Codec.notification``."""
        return self._with_params([b"\x82", _VERSION, _MEMBER["method"], method], params)

    @staticmethod
    def _with_params(parts: list[bytes], params: bytes | None) -> bytes:
        if params is not None:
            parts[0] = bytes([parts[0][0] + 1])
            parts += (_MEMBER["params"], params)
        return b"".join(parts)

    def result(self, id: bytes, result: bytes) -> bytes:
        """See ``Codec.result``."""
        return b"".join((b"\x83", _VERSION, _MEMBER["id"], id, _MEMBER["result"], result))

    def error(self, id: bytes, error: bytes) -> bytes:
        """See ``Codec.error``."""
        return b"".join((b"\x83", _VERSION, _MEMBER["id"], id, _MEMBER["error"], error))

    def batch(self, messages: Sequence[bytes]) -> bytes:
        """See ``Codec.batch``."""
        count = len(messages)
        head = bytes([0x90 | count]) if count < 16 else b"\xdd" + count.to_bytes(4, "big")
        return head + b"".join(messages)

    def _around(self, subscription: int) -> tuple[bytes, bytes]:
        """See ``Codec.item``."""
        parts = (
            b"\x83",
            *(_VERSION, _MEMBER["method"], _MEMBER["$/item"], _MEMBER["params"], b"\x82"),
            *(_MEMBER["subscription"], self.encode(subscription), _MEMBER["value"]),
        )
        return b"".join(parts), b""


JSON = JsonCodec()
MSGPACK = MsgpackCodec()
CODECS: dict[str, Codec] = {each.name: each for each in (JSON, MSGPACK)}
"""The codecs by name."""


def codec_named(name: str) -> Codec:
    """The codec called ``name``. Raises ``ConfigurationError``."""
    try:
        return CODECS[name]
    except KeyError:
        known = " or ".join(CODECS)
        raise ConfigurationError(f"there is no codec {name!r}: it is {known}") from None
