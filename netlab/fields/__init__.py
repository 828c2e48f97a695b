"""HTTP fields, as all of netlab knows them (RFC 9110): values, and no I/O.

``Fields`` is the field section of a message. The rest reads and writes what a
field's value says: lists and quoted strings, dates, entity tags, ranges,
``Cache-Control``, structured fields, ``Via``, ``Proxy-Status``.

Readers take any text that a peer may send and never raise: what is malformed
gives ``None`` or nothing. Writers raise ``LocalProtocolError`` for what cannot
be written.
"""

from netlab.fields.collection import Fields
from netlab.fields.control import (
    INVALID,
    CacheControl,
    parse_cache_control,
    parse_targeted,
)
from netlab.fields.dates import format_date, parse_date
from netlab.fields.forwarding import (
    HOP_BY_HOP,
    Hop,
    add_via,
    connection_options,
    end_to_end,
    parse_via,
    passed_through,
)
from netlab.fields.proxystatus import ProxyError, ProxyStatus
from netlab.fields.ranges import (
    ByteRange,
    ContentRange,
    parse_content_range,
    parse_if_range,
    parse_range,
)
from netlab.fields.structured import (
    InnerList,
    Item,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
    serialize_dictionary,
    serialize_item,
    serialize_list,
)
from netlab.fields.syntax import (
    INFINITE,
    is_token,
    parse_content_length,
    parse_number,
    parse_parameterized,
    parse_seconds,
    parse_weight,
    quote,
    split_list,
    unquote,
)
from netlab.fields.tags import (
    EntityTag,
    parse_entity_tag,
    parse_entity_tags,
    strongly_equal,
    weakly_equal,
)

__all__ = [
    "HOP_BY_HOP",
    "INFINITE",
    "INVALID",
    "ByteRange",
    "CacheControl",
    "ContentRange",
    "EntityTag",
    "Fields",
    "Hop",
    "InnerList",
    "Item",
    "ProxyError",
    "ProxyStatus",
    "Token",
    "add_via",
    "connection_options",
    "end_to_end",
    "format_date",
    "is_token",
    "parse_cache_control",
    "parse_content_length",
    "parse_content_range",
    "parse_date",
    "parse_dictionary",
    "parse_entity_tag",
    "parse_entity_tags",
    "parse_if_range",
    "parse_item",
    "parse_list",
    "parse_number",
    "parse_parameterized",
    "parse_range",
    "parse_seconds",
    "parse_targeted",
    "parse_via",
    "parse_weight",
    "passed_through",
    "quote",
    "serialize_dictionary",
    "serialize_item",
    "serialize_list",
    "split_list",
    "strongly_equal",
    "unquote",
    "weakly_equal",
]
