"""What an HTTP server counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from netlab.transport import Stats


@dataclass(slots=True)
class HttpStats(Stats):
    """The counters of ``netlab.transport.Stats``, and the responses by class of status.

    Here ``messages_in`` are the requests given to the handler, ``messages_out`` the
    responses that were begun: also to what could not be read as a request.

    responses  responses begun, by class of their status: ``2xx`` to ``5xx``
    """

    responses: Counter[str] = field(default_factory=Counter)
