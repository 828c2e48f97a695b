"""The applications that ``twistd netlab message --app`` can name."""

from __future__ import annotations

from typing import Any

from netlab.application import load

from .protocol import Echo, MessageFactory, MessageProtocol
from .server import Application

BUILT_IN: dict[str, type[MessageProtocol] | type[MessageFactory]] = {"echo": Echo}
ELSEWHERE = {"rooms": "netlab.api.rooms:Rooms"}
"""Applications that stand on this package, and are loaded when they are asked for."""


def load_application(name: str) -> Application:
    """The application that ``name`` means; see ``netlab.application.load``.

    Raises ``ConfigurationError``.
    """
    application: Application = load(
        ELSEWHERE.get(name, name),
        {**BUILT_IN, **ELSEWHERE},
        _can_be_served,
        bases="netlab.MessageProtocol, netlab.MessageFactory or netlab.api.Api",
        example="shout:Shout",
    )
    return application


def _can_be_served(value: Any) -> bool:
    if isinstance(value, MessageFactory):
        return True
    if hasattr(value, "__message_factory__"):  # an Api, but for the base that brings this
        return "__message_factory__" not in vars(value)
    return (
        isinstance(value, type)
        and issubclass(value, (MessageProtocol, MessageFactory))
        and value not in (MessageProtocol, MessageFactory)
    )
