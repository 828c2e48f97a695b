"""The applications that ``twistd netlab message --app`` can name."""

from __future__ import annotations

from typing import Any

from netlab.application import load

from .protocol import Echo, MessageFactory, MessageProtocol
from .server import Application

BUILT_IN: dict[str, type[MessageProtocol] | type[MessageFactory]] = {"echo": Echo}


def load_application(name: str) -> Application:
    """The application that ``name`` means; see ``netlab.application.load``.

    Raises ``ConfigurationError``.
    """
    application: Application = load(
        name,
        BUILT_IN,
        _can_be_served,
        bases="netlab.MessageProtocol, netlab.MessageFactory or netlab.api.Api",
        example="shout:Shout",
    )
    return application


def _can_be_served(value: Any) -> bool:
    if isinstance(value, MessageFactory):
        return True
    if hasattr(value, "__message_factory__"):  # an Api, or an object of one
        return not hasattr(value, "_is_base")
    return (
        isinstance(value, type)
        and issubclass(value, (MessageProtocol, MessageFactory))
        and value not in (MessageProtocol, MessageFactory)
    )
