"""The applications that ``twistd netlab echo --app`` can name."""

from __future__ import annotations

from typing import Any

from netlab.application import load

from .app import DatagramApp, Echo
from .server import Application

BUILT_IN: dict[str, type[DatagramApp]] = {"echo": Echo}


def load_application(name: str) -> Application:
    """The application that ``name`` means; see ``netlab.application.load``.

    Raises ``ConfigurationError``.
    """
    application: Application = load(
        name, BUILT_IN, _can_be_served, bases="netlab.DatagramApp", example="names:Names"
    )
    return application


def _can_be_served(value: Any) -> bool:
    if isinstance(value, DatagramApp):
        return True
    return isinstance(value, type) and issubclass(value, DatagramApp) and value is not DatagramApp
