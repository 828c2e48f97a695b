# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.target import DEFAULT, Target, looks_like_endpoint, parse_target

HOSTS = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="[]"), min_size=1)
TARGETS = st.builds(
    Target, st.sampled_from(["tcp", "tls"]), HOSTS, st.integers(1, 65535)
) | st.builds(Target, st.just("unix"), path=st.text(min_size=1))


class Parse(SynchronousTestCase):
    def test_forms(self) -> None:
        for text, expected in (
            (DEFAULT, Target("tcp", "localhost", 8032)),
            ("tcp:192.0.2.1:1", Target("tcp", "192.0.2.1", 1)),
            ("tls:example.org:65535", Target("tls", "example.org", 65535)),
            ("tcp:[::1]:8032", Target("tcp", "::1", 8032)),
            (r"tcp:\:\:1:8032", Target("tcp", "::1", 8032)),
            (r"tls:[fe80::1%eth0]:1", Target("tls", "fe80::1%eth0", 1)),
            ("tcp:h:00080", Target("tcp", "h", 80)),
            ("unix:/run/netlab.sock", Target("unix", path="/run/netlab.sock")),
            ("unix:relative path", Target("unix", path="relative path")),
            (r"unix:/a\:b\\c", Target("unix", path=r"/a:b\c")),
            ("unix:/ends\\", Target("unix", path="/ends\\")),
            ("unix:[x]", Target("unix", path="[x]")),
        ):
            self.assertEqual(parse_target(text), expected, text)

    def test_refused(self) -> None:
        for text, said in (
            ("", "endpoint '': write for example tcp:localhost:8032, tls:"),
            ("8032", "endpoint '8032': write for example tcp:"),
            ("localhost:8032", "write for example tcp:localhost:8032"),
            ("tcp", "endpoint 'tcp': write for example tcp:localhost:8032"),
            ("TCP:localhost:1", "write for example tcp:"),
            ("ssl:localhost:1", "write tls:HOST:PORT"),
            ("tcp6:localhost:1", "write tcp:HOST:PORT, for IPv6 as well"),
            ("tcp:8032", "give a host and a port, as in tcp:localhost:8032"),
            ("tls:8032", "give a host and a port, as in tls:localhost:8032"),
            ("tcp::8032", "give a host and a port"),
            ("tcp:[]:8032", "give a host and a port"),
            ("tcp:::1:8032", "give a host and a port"),
            ("tcp:localhost:1:timeout=3", "give a host and a port"),
            ("tcp:localhost\\", "give a host and a port"),
            ("tcp:local host:1", "the host must be a name or an address"),
            ("tcp:a\0b:1", "the host must be a name or an address"),
            ("tcp:[h:1", "the host must be a name or an address"),
            ("tcp:localhost:", "the port must be a number from 1 to 65535, not ''"),
            ("tcp:localhost:0", "the port must be a number from 1 to 65535, not '0'"),
            ("tcp:localhost:65536", "not '65536'"),
            ("tcp:localhost:-1", "not '-1'"),
            ("tcp:localhost:+80", "not '+80'"),
            ("tcp:localhost:8_0", "not '8_0'"),
            ("tcp:localhost:80\n", r"not '80\n'"),
            ("tcp:localhost:٣", "not '٣'"),
            ("tcp:localhost:" + "9" * 5000, "..."),
            ("tcp:localhost:http", "not 'http'"),
            ("unix:", "give one path, as in unix:/run/netlab.sock"),
            ("unix:/a:b", "give one path"),
            ("unix:/a:mode=660", "give one path"),
        ):
            error = self.assertRaises(ConfigurationError, parse_target, text)
            self.assertIn(said, str(error))
            self.assertLess(len(str(error)), 500)

    @given(TARGETS)
    def test_there_and_back(self, target: Target) -> None:
        self.assertEqual(parse_target(str(target)), target)

    @given(
        st.text(st.characters(codec=None, categories=None))
        | st.text(r"tcplsunix:\[]0189", max_size=20)
        | st.text(r":\[]08a", max_size=9).map("tcp:".__add__)
        | st.text(r":\[]08a", max_size=9).map("unix:".__add__)
    )
    def test_anything(self, text: str) -> None:
        with contextlib.suppress(ConfigurationError):
            parsed = parse_target(text)
            self.assertTrue(looks_like_endpoint(text))
            self.assertEqual(parse_target(str(parsed)), parsed)


class Looks(SynchronousTestCase):
    def test_looks(self) -> None:
        for text in ("tcp:", "tcp:x", "tls:h:1", "unix:/x", "ssl:8443", "tcp6:1"):
            self.assertTrue(looks_like_endpoint(text), text)
        for text in ("", "tcp", "hello", "http://x", "note: tcp:x", ":tcp:", "TCP:x"):
            self.assertFalse(looks_like_endpoint(text), text)
