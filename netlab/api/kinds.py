"""The types that the arguments and results of an api may have."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect as info


def fault_of(kind: Any) -> str | None:
    """Why values of ``kind`` cannot be sent, and what would be right; ``None`` when they can."""
    try:
        described = info.type_info(kind)
        wrong = _unsupported(described, set())
        if wrong is not None:
            return wrong
        for protocol in (msgspec.json, msgspec.msgpack):
            protocol.Decoder(kind)
        msgspec.json.schema(kind)
    except NameError as error:
        return (
            f"its type uses {error.name!r}, which is not known: define or import it at the top "
            "of a module"
        )
    except (TypeError, ValueError, RecursionError, AttributeError) as error:
        return _first_line(error)
    return None


def _unsupported(described: Any, seen: set[Any]) -> str | None:
    """Looks through a type and all that it is made of."""
    if isinstance(described, info.CustomType):
        name = getattr(described.cls, "__name__", repr(described.cls))
        if described.cls is object:
            return "object says nothing of what is sent: write Any for values of any kind"
        return (
            f"{name} cannot be sent: use a dataclass, a msgspec.Struct, an Enum, a TypedDict, "
            "or the types of JSON"
        )
    if isinstance(described, info.ExtType | info.RawType):
        return f"{type(described).__name__.removesuffix('Type')} has no meaning in JSON"
    made_of = info.StructType | info.DataclassType | info.TypedDictType | info.NamedTupleType
    if isinstance(described, made_of):
        if described.cls in seen:
            return None
        seen.add(described.cls)
        for field in described.fields:
            wrong = _unsupported(field.type, seen)
            if wrong is not None:
                return f"{described.cls.__name__}.{field.name}: {wrong}"
        return None
    parts: list[Any] = []
    for name in ("type", "item_type", "key_type", "value_type"):
        part = getattr(described, name, None)
        if isinstance(part, info.Type):
            parts.append(part)
    for name in ("types", "item_types"):
        parts += getattr(described, name, ())
    return next(filter(None, (_unsupported(each, seen) for each in parts)), None)


_FIXED = (
    *(info.NoneType, info.BoolType, info.IntType, info.FloatType, info.StrType, info.BytesType),
    *(info.DateTimeType, info.DateType, info.TimeType, info.TimeDeltaType, info.UUIDType),
    *(info.DecimalType, info.EnumType, info.LiteralType),
)


def never_changes(kind: Any) -> bool:
    """Whether no value of ``kind`` can change, nor anything within it."""
    return _fixed(info.type_info(kind), set())


def _fixed(described: Any, seen: set[Any]) -> bool:
    if isinstance(described, info.StructType):
        if described.cls in seen:
            return True
        seen.add(described.cls)
        parts = [field.type for field in described.fields]
        return described.cls.__struct_config__.frozen and all(_fixed(each, seen) for each in parts)
    if isinstance(described, info.UnionType):
        return all(_fixed(each, seen) for each in described.types)
    if isinstance(described, info.TupleType):
        return all(_fixed(each, seen) for each in described.item_types)
    if isinstance(described, info.VarTupleType | info.FrozenSetType):
        return _fixed(described.item_type, seen)
    return isinstance(described, _FIXED)


def name_of(kind: Any) -> str:
    """A type as its author would write it: ``list[int]``, ``Colour | None``."""
    if kind is None or kind is type(None):
        return "None"
    origin = getattr(kind, "__metadata__", None)
    if origin is not None:
        return name_of(kind.__origin__)
    if isinstance(kind, type) and not getattr(kind, "__args__", None):
        return kind.__name__
    args = getattr(kind, "__args__", None)
    text = str(kind)
    if args and type(kind).__name__ in ("UnionType", "_UnionGenericAlias"):
        return " | ".join(map(name_of, args))
    if args and isinstance(getattr(kind, "__origin__", None), type) and "Literal" not in text:
        inner = ", ".join("..." if each is ... else name_of(each) for each in args)
        return f"{kind.__origin__.__name__}[{inner}]"
    return text.replace("typing.", "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
