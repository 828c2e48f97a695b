"""A case for the tests of what ``decide`` says."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import (
    DEFAULTS,
    Entry,
    Forward,
    Options,
    Reason,
    Revalidate,
    Serve,
    Verdict,
    decide,
)
from tests.cache.policy.support import NOW, get


class Decisions(SynchronousTestCase):
    def verdict(
        self,
        entry: Entry,
        *pairs: tuple[str, str],
        after: float = 10,
        options: Options = DEFAULTS,
    ) -> Verdict:
        return decide(get(*pairs), [entry], NOW + after, options)

    def assert_served(self, verdict: Verdict, *, stale: bool = False) -> Serve:
        assert isinstance(verdict, Serve), verdict
        self.assertIs(verdict.stale, stale)
        return verdict

    def assert_asked(self, verdict: Verdict, reason: Reason) -> Revalidate:
        assert isinstance(verdict, Revalidate), verdict
        self.assertIs(verdict.reason, reason)
        return verdict

    def assert_forwarded(self, verdict: Verdict, reason: Reason) -> Forward:
        assert isinstance(verdict, Forward), verdict
        self.assertIs(verdict.reason, reason)
        return verdict
