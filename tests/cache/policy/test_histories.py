"""Any history of requests, responses and failures: no client gets what it must not get."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Request, Response
from netlab.fields import Fields, parse_cache_control
from tests.cache.policy.support import Gateway, Next, Reply, control, get


class Step(Struct, frozen=True):
    """What happens next: time passes, the origin has a new state, a client asks."""

    wait: float
    directives: str
    changes: bool
    wish: str
    foo: str
    works: bool
    method: str


steps = st.lists(
    st.builds(
        Step,
        wait=st.sampled_from([0, 1, 19, 21, 49, 51, 200]),
        directives=st.sampled_from(
            [
                *("max-age=50", "max-age=50", "max-age=0", "s-maxage=50", "no-cache", "no-store"),
                *("private", "", "max-age=20, must-revalidate", "no-cache, max-age=50"),
                *("max-age=20, stale-while-revalidate=40", "max-age=20, stale-if-error=60"),
            ]
        ),
        changes=st.booleans(),
        wish=st.sampled_from(["", "", "no-cache", "max-age=10", "max-stale=30", "no-store"]),
        foo=st.sampled_from("ab"),
        works=st.booleans(),
        method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
    ),
    max_size=12,
)


class Origin:
    """A resource with a variant for each value of ``Foo``.

    ``said`` has, for each content, what the origin said of it last and when.
    """

    def __init__(self) -> None:
        self.gateway = Gateway(origin=self.answer)
        self.version = 0
        self.directives = ""
        self.said: dict[bytes, tuple[str, float]] = {}

    def answer(self, request: Request) -> Next:
        if request.method == "POST":
            self.version += 1
            return Next(Response(204, Fields()), b"")
        content = f"{self.version} for {request.fields.get('foo')}".encode()
        tag = f'"{content.decode().replace(" ", "-")}"'
        fields = Fields([("ETag", tag), control(self.directives), ("Vary", "Foo")])
        if request.fields.get("cache-control") != "no-store":
            self.said[content] = self.directives, self.gateway.now
        if request.fields.get("if-none-match") == tag:
            return Next(Response(304, fields), b"")
        return Next(Response(200, fields), b"" if request.method == "HEAD" else content)


class Histories(SynchronousTestCase):
    @given(steps)
    def test_truth(self, history: list[Step]) -> None:
        """Whatever happens: none gets another's variant, what is private, or what is too old."""
        origin = Origin()
        gateway = origin.gateway
        for step in history:
            gateway.now += step.wait
            gateway.out_of_reach = not step.works
            origin.version += step.changes
            origin.directives = step.directives
            before = dict(origin.said)
            asked = len(gateway.sent)
            reply = gateway.ask(get(("Foo", step.foo), control(step.wish), method=step.method))
            if step.method != "GET" or reply.status != 200:
                continue
            if reply.hit or not step.works:
                self.check(step, reply, *before[reply.content], gateway.now)
            else:
                current = f"{origin.version} for {step.foo}".encode()
                self.assertEqual((len(gateway.sent), reply.content), (asked + 1, current))

    def check(self, step: Step, reply: Reply, said: str, when: float, now: float) -> None:
        """A response that the origin has not validated for this request."""
        self.assertTrue(reply.content.endswith(step.foo.encode()))
        rules = parse_cache_control(said)
        self.assertFalse(rules.no_store or rules.private or rules.no_cache, said)
        age = now - when
        self.assertEqual(reply.fields.get("age"), str(int(age)))
        lifetime = rules.s_maxage if rules.s_maxage is not None else rules.max_age or 0
        if age >= lifetime:
            self.assertFalse(rules.must_revalidate or rules.s_maxage is not None, said)
            permitted = [30] if step.wish == "max-stale=30" else []
            permitted += [rules.stale_while_revalidate or -1, rules.stale_if_error or -1]
            self.assertLessEqual(age - lifetime, max(permitted), said)
