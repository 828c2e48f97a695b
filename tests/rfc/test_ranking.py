# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.entries import Entry
from netlab.rfc.ranking import worth


class Worth(SynchronousTestCase):
    def assert_before(self, first: Entry, second: Entry, *words: str) -> None:
        self.assertGreater(worth(first, words), worth(second, words))

    def test_title(self) -> None:
        """The more of its title was asked for, the more a document is what is looked for."""
        self.assert_before(Entry(1, "HTTP Caching"), Entry(2, "Problems of HTTP Caching"), "http")

    def test_short_words(self) -> None:
        """Other words do not begin with them: NFS is not NFSv4, "for" not in "forwarding"."""
        for title, word in (("NFS", "nfsv4"), ("The UDP", "theory"), ("For Mail", "forwarding")):
            self.assertEqual(worth(Entry(1, title), (word,)), 1.0)
        self.assertEqual(worth(Entry(1, "URN and URI"), ("urns",)), 1.0 + 1 / 3)

    def test_name(self) -> None:
        """What a title says before a colon is what the document is of."""
        self.assert_before(
            Entry(1, "QUIC: A UDP-Based Multiplexed Transport"), Entry(2, "Securing QUIC"), "quic"
        )

    def test_subject(self) -> None:
        """Or without what is in parentheses, and words that say little."""
        tls = Entry(1, "The Transport Layer Security (TLS) Protocol Version 1.3")
        syslog = Entry(2, "Transport Layer Security (TLS) Mapping for Syslog")
        self.assert_before(tls, syslog, "transport", "layer", "security")

    def test_phrase(self) -> None:
        """The words side by side are more than the same words apart."""
        self.assert_before(
            *(Entry(1, "On Internet Protocol"), Entry(2, "Internet Mail Protocol")),
            *("internet", "protocol"),
        )

    def test_status(self) -> None:
        standard = Entry(1, "Coffee", status="INTERNET STANDARD")
        self.assert_before(standard, Entry(2, "Coffee"), "coffee")
        self.assert_before(Entry(2, "Coffee"), Entry(3, "Coffee", status="HISTORIC"), "coffee")

    def test_obsolete(self) -> None:
        self.assert_before(Entry(1, "Tea"), Entry(2, "Tea", obsoleted_by=(1,)), "tea")

    def test_no_title(self) -> None:
        self.assertEqual(worth(Entry(1, ""), ()), 1.0)
