"""An api on real sockets: ``netlab.serve``, ``netlab.connect``, TLS, and ``--app``."""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import pytest
import trustme
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.trial.unittest import SynchronousTestCase, TestCase

import netlab
from netlab import ConfigurationError
from netlab.api import ApiFactory, client_of, connect, serve
from netlab.message import load_application

from .support import Calculator

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

LOOPBACK = "tcp:0:interface=127.0.0.1"


def port_of(server: netlab.MessageServer) -> int:
    address: Any = server.addresses[0]
    return int(address.port)


class Sockets(TestCase):
    timeout = 20

    def go(self, coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
        return ensureDeferred(coroutine)

    def test_example(self) -> Deferred[None]:
        async def example() -> None:
            async with netlab.serve(Calculator, LOOPBACK, reactor=reactor) as server:
                endpoint = f"tcp:127.0.0.1:{port_of(server)}"
                async with netlab.connect(endpoint, Calculator, reactor=reactor) as calc:
                    assert_type(await calc.add(1, 2), int)
                    self.assertEqual(await calc.add(1, 2), 3)
                    counted = [each async for each in calc.countdown(3)]
                    self.assertEqual(counted, [3, 2, 1])
                    self.assertTrue(client_of(calc).connected)
                self.assertFalse(client_of(calc).connected)
                async with connect(endpoint, reactor=reactor) as client:
                    self.assertEqual(await client.call("add", a=1, b=2), 3)
                calc = await netlab.connect(
                    endpoint, Calculator, call_timeout=0.05, reactor=reactor
                )
                with self.assertRaises(netlab.DeadlineExceeded):
                    await calc.wait("a")
                await client_of(calc).close()

        return self.go(example())

    def test_nobody_listens(self) -> Deferred[None]:
        async def example() -> None:
            async with serve(Calculator, LOOPBACK, reactor=reactor) as server:
                endpoint = f"tcp:127.0.0.1:{port_of(server)}"
            with self.assertRaises(netlab.ConnectFailed):
                await connect(endpoint, Calculator, reactor=reactor)

        return self.go(example())

    def test_identity(self) -> Deferred[None]:
        """A client's certificate, which the endpoint verifies, is its identity."""
        authority = trustme.CA()
        trusted = Certificate.loadPEM(authority.cert_pem.bytes())
        root = trustRootFromCertificates([trusted])

        def certificate(name: str, **options: Any) -> PrivateCertificate:
            made = authority.issue_cert(name, **options)
            loaded: PrivateCertificate = PrivateCertificate.loadPEM(
                made.private_key_and_cert_chain_pem.bytes()
            )
            return loaded

        context = certificate("localhost").options(trusted)
        endpoint = SSL4ServerEndpoint(reactor, 0, context, interface="127.0.0.1")
        wishes = optionsForClientTLS(
            "localhost", root, certificate("ada.example", common_name="Ada")
        )

        async def example() -> None:
            async with serve(Calculator, endpoint, reactor=reactor) as server:
                plain = TCP4ClientEndpoint(reactor, "127.0.0.1", port_of(server))
                there = wrapClientTLS(wishes, plain)
                async with connect(there, Calculator, reactor=reactor) as calc:
                    self.assertEqual(await calc.peer(), "True Ada 1")

        return self.go(example())

    def test_wrong(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "no class of methods"):
            netlab.connect("tcp:localhost:1", str, reactor=reactor)
        with self.assertRaisesRegex(TypeError, "call_timeout"):
            netlab.connect("tcp:localhost:1", call_timeout=1, reactor=reactor)  # type: ignore[call-overload]


APP = """
from netlab.api import Api, ApiFactory, method

class Nl(Api):
    @method
    def add(self, a: int, b: int) -> int:
        return a + b

made = Nl()
packed = ApiFactory(Nl, codec="msgpack")
"""


class Applications(SynchronousTestCase):
    def test_load(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (Path(folder.name) / "nl_served_api.py").write_text(APP)
        before, path = os.getcwd(), list(sys.path)
        os.chdir(folder.name)

        def restore() -> None:
            os.chdir(before)
            sys.path[:] = path
            sys.modules.pop("nl_served_api", None)

        self.addCleanup(restore)
        name = "nl_served_api"
        self.assertIs(load_application(f"{name}:Nl"), sys.modules[name].Nl)
        self.assertIs(load_application(f"{name}:made"), sys.modules[name].made)
        self.assertIsInstance(load_application(f"{name}:packed"), ApiFactory)
        with self.assertRaisesRegex(ConfigurationError, "it has .*Nl, made, packed"):
            load_application(f"{name}:calculator")
        with self.assertRaisesRegex(ConfigurationError, r"not a subclass of .*netlab\.api\.Api"):
            load_application(f"{name}:Api")
