"""``twistd netlab cache``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import usage

from netlab.cache.gateway import Gateway, Purging, ReverseProxy, Telling, parse_origin
from netlab.cache.gateway.telling import FORWARDED_FOR
from netlab.cache.policy import Options as PolicyOptions
from netlab.options import count, whole

from .web import CACHE, HTTP, Backend, WebOptions, WebService, folder


class CacheOptions(WebOptions):
    """Options of ``twistd netlab cache``."""

    synopsis = "--origin URL [options]"
    longdesc = (
        "Serves an HTTP origin through a shared cache (RFC 9111). Without --listen it takes "
        "port 8080 on this machine's own addresses only."
    )
    optFlags = [["heuristic", None, "keep what says nothing of freshness for a tenth of its age"]]
    optParameters = [
        ["origin", "o", None, "whose resources these are: http://HOST[:PORT]"],
        ["public", None, None, "how clients know the origin: https://HOST[:PORT]"],
        ["cache", None, None, "folder of the cache [default: none, memory only]"],
        whole("stale-if-error", 0, "seconds for which stale is better than an error"),
        count("max-upstream", 128, "requests to the origin at a time; more wait"),
        *HTTP,
        *CACHE,
    ]

    def postOptions(self) -> None:
        """Checks the origin and the folder, or says what is wrong."""
        super().postOptions()
        if self["origin"] is None:
            raise usage.UsageError("--origin is missing: give http://HOST[:PORT]")
        self.origin = self.read("origin", parse_origin)
        self.public = None if self["public"] is None else self.read("public", parse_origin)
        self.folder = self.read("cache", folder)
        self.fetch_limits = replace(self.fetch_limits, max_connections=self["max-upstream"])
        self.open_records()


def cache_service(options: CacheOptions) -> WebService:
    """The service that ``options`` describe."""

    def make_handler() -> tuple[Any, Any]:
        backend = Backend(options, options.folder, shared=False)
        gateway = Gateway(
            backend.store,
            backend.fetcher.fetch,
            reactor=backend.reactor,
            options=PolicyOptions(
                heuristic=bool(options["heuristic"]),
                stale_if_error=options["stale-if-error"],
                told=frozenset({FORWARDED_FOR}),
            ),
            tell=Telling(options.public),
        )

        def close() -> Deferred[None]:
            gateway.close()
            return backend.close()

        proxy = ReverseProxy(gateway, options.origin)
        return Purging(proxy, gateway, proxy.uris), close

    return WebService("cache", options, make_handler)
