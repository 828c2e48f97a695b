from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Raw
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.jsonrpc import (
    CODECS,
    JSON,
    MSGPACK,
    Cancelled,
    Code,
    Codec,
    CreditCame,
    Event,
    ItemCame,
    NotificationCame,
    Progress,
    Publication,
    RequestCame,
    ResponseCame,
    RpcError,
    Session,
    SessionLimits,
    Subscription,
    SubscriptionEnded,
    SubscriptionOpened,
    TooManyCalls,
    Unsubscribed,
)
from netlab.errors import (
    ConnectionClosed,
    ConnectionReset,
    LocalProtocolError,
    OutgoingFrameTooLong,
)
from tests.api.jsonrpc.support import carry, connected, only


class Calls(SynchronousTestCase):
    def test_call_and_answer(self) -> None:
        for codec in CODECS.values():
            client, server = connected(codec)
            id = client.call("add", {"a": 1, "b": [2]})
            request = only(carry(client, server), RequestCame)
            self.assertEqual((request.id, request.method), (id, "add"))
            assert request.params is not None
            self.assertEqual(codec.decode(request.params), {"a": 1, "b": [2]})
            server.reply(request, {"sum": 3})
            response = only(carry(server, client), ResponseCame)
            assert response.result is not None
            self.assertEqual((response.id, response.error), (id, None))
            self.assertEqual(codec.decode(response.result), {"sum": 3})

    def test_answers_overtake(self) -> None:
        client, server = connected()
        ids = [client.call("x", [each]) for each in range(3)]
        requests = carry(client, server)
        for each in reversed(requests):
            assert isinstance(each, RequestCame)
            server.reply(each, each.id)
        came = [each.id for each in carry(server, client) if isinstance(each, ResponseCame)]
        self.assertEqual(came, ids[::-1])

    def test_errors(self) -> None:
        for codec in CODECS.values():
            client, server = connected(codec)
            for error in (RpcError(1, "no"), RpcError(-32602, "wrong", {"path": "$.a"})):
                client.call("x")
                server.reply_error(only(carry(client, server), RequestCame), error)
                self.assertEqual(only(carry(server, client), ResponseCame).error, error)

    def test_data_that_cannot_be_encoded(self) -> None:
        client, server = connected()
        client.call("x")
        request = only(carry(client, server), RequestCame)
        with self.assertRaises(TypeError):
            server.reply(request, object())
        server.reply_error(request, RpcError(1, "no", object()))
        self.assertEqual(only(carry(server, client), ResponseCame).error, RpcError(1, "no"))
        with self.assertRaises(TypeError):
            client.call("x", [object()])
        for params in ("text", b"bytes"):
            with self.assertRaises(TypeError):
                client.call("x", params)
        self.assertEqual((client.calls, client.take()), (0, []))

    def test_both_sides_call(self) -> None:
        one, other = connected()
        one.call("x")
        other.call("y")
        asked = only(carry(one, other), RequestCame)
        asked_too = only(carry(other, one), RequestCame)
        other.reply(asked, 1)
        one.reply(asked_too, 2)
        self.assertEqual(only(carry(other, one), ResponseCame).result, b"1")
        self.assertEqual(only(carry(one, other), ResponseCame).result, b"2")

    def test_notify(self) -> None:
        client, server = connected()
        client.notify("hello")
        client.notify("hello", [1])
        came = carry(client, server)
        self.assertEqual(
            [each.params for each in came if isinstance(each, NotificationCame)], [None, b"[1]"]
        )

    def test_encoded_values_go_as_they_are(self) -> None:
        client, server = connected()
        client.call("x", Raw(b"[ 1 ]"))
        request = only(carry(client, server), RequestCame)
        self.assertEqual(request.params, b"[ 1 ]")
        server.reply(request, Raw(b"1.0"))
        self.assertEqual(only(carry(server, client), ResponseCame).result, b"1.0")

    def test_batch(self) -> None:
        for codec in CODECS.values():
            client, server = connected(codec)
            ids = client.call_batch([("a", [1]), ("b", None), *[("c", {"n": 1})] * 15])
            (message,) = client.take()
            requests = server.receive(message)
            for each in reversed(requests):
                self.assertEqual(server.take(), [])
                assert isinstance(each, RequestCame)
                server.reply(each, each.method)
            came = carry(server, client)
            self.assertEqual(
                sorted(each.id for each in came if isinstance(each, ResponseCame)), ids
            )

    def test_batch_that_cannot_be(self) -> None:
        client = Session(JSON, SessionLimits(max_calls=2))
        with self.assertRaises(LocalProtocolError):
            client.call_batch([])
        with self.assertRaises(TooManyCalls):
            client.call_batch([("a", None)] * 3)
        self.assertEqual((client.calls, client.take()), (0, []))

    def test_max_calls(self) -> None:
        client = Session(JSON, SessionLimits(max_calls=2))
        client.call("a")
        client.call("a")
        with self.assertRaises(TooManyCalls):
            client.call("a")

    def test_too_long(self) -> None:
        client, server = connected(JSON, SessionLimits(max_message=300))
        with self.assertRaises(OutgoingFrameTooLong):
            client.call("x", ["y" * 300])
        self.assertEqual((client.calls, client.take()), (0, []))
        client.call("x")
        request = only(carry(client, server), RequestCame)
        server.reply(request, "y" * 300)
        error = only(carry(server, client), ResponseCame).error
        assert isinstance(error, RpcError)
        self.assertEqual(error.code, Code.ANSWER_TOO_LONG)
        client.call("x")
        request = only(carry(client, server), RequestCame)
        server.reply_error(request, RpcError(1, "z" * 1000, "y" * 300))
        self.assertEqual(only(carry(server, client), ResponseCame).error, RpcError(1, "z" * 200))

    def test_answers_to_a_batch_are_too_long(self) -> None:
        client, server = connected(JSON, SessionLimits(max_message=500))
        client.call_batch([("x", None)] * 2)
        for each in carry(client, server):
            assert isinstance(each, RequestCame)
            server.reply(each, "y" * 300)
        came = carry(server, client)
        errors = [each.error for each in came if isinstance(each, ResponseCame)]
        for error in errors:
            assert isinstance(error, RpcError)
            self.assertEqual(error.code, Code.ANSWER_TOO_LONG)
        self.assertEqual((len(errors), client.calls), (2, 0))

    def test_answers_twice(self) -> None:
        client, server = connected()
        client.call("x")
        request = only(carry(client, server), RequestCame)
        server.reply(request, 1)
        with self.assertRaises(LocalProtocolError):
            server.reply_error(request, RpcError(1, "no"))

    def test_cancel(self) -> None:
        client, server = connected()
        id = client.call("x")
        request = only(carry(client, server), RequestCame)
        client.cancel(id)
        client.cancel(id)
        self.assertIs(only(carry(client, server), Cancelled).request, request)
        server.reply_error(request, RpcError(Code.REQUEST_CANCELLED, "cancelled"))
        self.assertEqual(carry(server, client), [])

    def test_progress(self) -> None:
        client, server = connected()
        id = client.call("x", {"a": 1}, progress=True)
        request = only(carry(client, server), RequestCame)
        assert request.params is not None
        self.assertEqual(json.loads(request.params), {"a": 1, "workDoneToken": id})
        server.progress(id, {"done": 10})
        came = only(carry(server, client), Progress)
        self.assertEqual((came.id, came.value), (id, b'{"done":10}'))
        server.reply(request, None)
        server.progress(id, 11)
        only(carry(server, client), ResponseCame)
        with self.assertRaises(LocalProtocolError):
            client.call("x", [1], progress=True)

    def test_lost(self) -> None:
        client, server = connected()
        ids = [client.call("x"), client.call("y")]
        opening = client.subscribe("z", credit=None)
        requests = carry(client, server)
        reason = ConnectionReset("gone")
        self.assertEqual(
            [each.request for each in server.lost(reason) if isinstance(each, Cancelled)], requests
        )
        ended = client.lost(reason)
        self.assertEqual([each.id for each in ended if isinstance(each, ResponseCame)], ids)
        last = ended[-1]
        assert isinstance(last, SubscriptionEnded)
        self.assertEqual((last.subscription, last.error), (opening, reason))
        for each in requests:
            assert isinstance(each, RequestCame)
            server.reply(each, 1)
        self.assertEqual((server.take(), client.lost(reason), client.receive(b"[]")), ([], [], []))
        with self.assertRaises(ConnectionClosed):
            client.call("x")


class Subscriptions(SynchronousTestCase):
    def opened(
        self, client: Session, server: Session, credit: int | None
    ) -> tuple[Subscription, Publication]:
        subscription = client.subscribe("count", [3], credit=credit)
        publication = server.accept(only(carry(client, server), RequestCame))
        self.assertIs(only(carry(server, client), SubscriptionOpened).subscription, subscription)
        return subscription, publication

    def test_items(self) -> None:
        for codec in CODECS.values():
            client, server = connected(codec)
            subscription, publication = self.opened(client, server, None)
            self.assertIsNone(publication.credit)
            values: list[Any] = [1, "two", {"three": [3]}, None]
            for number, value in enumerate(values):
                server.publish(publication, value, dropped=number)
            server.publish(publication, Raw(codec.encode(5)))
            server.end(publication)
            server.end(publication)
            *items, end = carry(server, client)
            came = [each for each in items if isinstance(each, ItemCame)]
            self.assertEqual([codec.decode(each.value) for each in came], [*values, 5])
            self.assertEqual([each.dropped for each in came], [0, 1, 2, 3, 0])
            assert isinstance(end, SubscriptionEnded)
            self.assertEqual((end.subscription, end.error), (subscription, None))
            self.assertEqual((client.subscriptions, server.publications), (0, 0))

    def test_credit(self) -> None:
        client, server = connected()
        subscription, publication = self.opened(client, server, 1)
        server.publish(publication, 1)
        self.assertFalse(publication.ready)
        with self.assertRaises(LocalProtocolError):
            server.publish(publication, 2)
        only(carry(server, client), ItemCame)
        self.assertEqual(subscription.credit, 0)
        client.grant(subscription, 2)
        self.assertEqual(only(carry(client, server), CreditCame).publication.credit, 2)
        for items in (0, -1, 1 << 31):
            with self.assertRaises(LocalProtocolError):
                client.grant(subscription, items)

    def test_credit_is_said_when_it_changes(self) -> None:
        client = Session()
        for credit, messages in ((None, 1), (4, 2), (4, 1), (None, 2), (0, 2)):
            client.subscribe("x", credit=credit)
            self.assertEqual(len(client.take()), messages)

    def test_credit_that_is_none(self) -> None:
        client, server = connected()
        _, publication = self.opened(client, server, 1)
        for items in (-1, 1 << 31, None, 1.5, "1"):
            client.notify("$/credit", {"subscription": 1, "items": items})
        client.notify("$/credit", {"items": -1})
        client.notify("$/credit", {"subscription": 9, "items": 1})
        self.assertEqual(len(carry(client, server)), 6)
        self.assertEqual(publication.credit, 1)
        for _ in range(3):
            client.notify("$/credit", {"subscription": 1, "items": (1 << 31) - 1})
        carry(client, server)
        self.assertEqual(publication.credit, (1 << 31) - 1)

    def test_peer_sends_more_than_its_credit(self) -> None:
        client, server = connected()
        _subscription, publication = self.opened(client, server, 1)
        publication.credit = None
        for each in range(3):
            server.publish(publication, each)
        item, end = carry(server, client)
        self.assertIsInstance(item, ItemCame)
        assert isinstance(end, SubscriptionEnded)
        self.assertIn("more items", str(end.error))
        self.assertIs(only(carry(client, server), Unsubscribed).publication, publication)
        self.assertEqual((carry(server, client), client.subscriptions), ([], 0))

    def test_end_with_error(self) -> None:
        client, server = connected()
        _, publication = self.opened(client, server, None)
        error = RpcError(Code.SUBSCRIBER_TOO_SLOW, "too slow", [1])
        server.end(publication, error)
        self.assertEqual(only(carry(server, client), SubscriptionEnded).error, error)

    def test_refused(self) -> None:
        client, server = connected()
        client.subscribe("x", credit=3)
        request = only(carry(client, server), RequestCame)
        server.reply_error(request, RpcError(1, "no"))
        ended = only(carry(server, client), SubscriptionEnded)
        self.assertEqual((ended.error, client.subscriptions), (RpcError(1, "no"), 0))

    def test_answer_is_no_number(self) -> None:
        client, server = connected()
        client.subscribe("x", credit=3)
        server.reply(only(carry(client, server), RequestCame), "one")
        self.assertIn("number", str(only(carry(server, client), SubscriptionEnded).error))

    def test_unsubscribe(self) -> None:
        client, server = connected()
        subscription, publication = self.opened(client, server, None)
        server.publish(publication, 1)
        client.unsubscribe(subscription)
        client.unsubscribe(subscription)
        client.grant(subscription, 1)
        self.assertEqual(carry(server, client), [])
        self.assertIs(only(carry(client, server), Unsubscribed).publication, publication)
        with self.assertRaises(LocalProtocolError):
            server.publish(publication, 1)
        self.assertEqual(client.subscriptions, 1)
        self.assertEqual((carry(server, client), client.subscriptions), ([], 0))

    def test_unsubscribe_crosses_the_answer(self) -> None:
        client, server = connected()
        subscription = client.subscribe("x", credit=None)
        request = only(carry(client, server), RequestCame)
        client.unsubscribe(subscription)
        self.assertEqual(client.subscriptions, 0)
        publication = server.accept(request)
        self.assertEqual(carry(server, client), [])
        self.assertIs(only(carry(client, server), Unsubscribed).publication, publication)

    def test_limits(self) -> None:
        client, server = connected(JSON, SessionLimits(max_subscriptions=1))
        self.opened(client, server, None)
        with self.assertRaises(TooManyCalls):
            client.subscribe("x", credit=None)
        client.call("x")
        request = only(carry(client, server), RequestCame)
        with self.assertRaises(RpcError) as raised:
            server.accept(request)
        self.assertEqual(raised.exception.code, Code.TOO_MANY_SUBSCRIPTIONS)

    def test_in_a_batch(self) -> None:
        client, server = connected()
        client.call_batch([("x", None)])
        with self.assertRaises(RpcError) as raised:
            server.accept(only(carry(client, server), RequestCame))
        self.assertEqual(raised.exception.code, Code.INVALID_REQUEST)

    def test_lost(self) -> None:
        client, server = connected()
        subscription, publication = self.opened(client, server, None)
        reason = ConnectionReset("gone")
        ended = only(client.lost(reason), SubscriptionEnded)
        self.assertEqual((ended.subscription, ended.error), (subscription, reason))
        self.assertIs(only(server.lost(reason), Unsubscribed).publication, publication)
        self.assertFalse(publication.open)


class Interleavings(RuleBasedStateMachine):
    """Two sessions, and everything either may do, in any order."""

    codec: Codec = JSON

    def __init__(self) -> None:
        super().__init__()
        limits = SessionLimits(max_in_flight=4, max_calls=6, max_subscriptions=3, max_batch=3)
        self.sides = connected(self.codec, limits)
        self.pipes: list[list[bytes]] = [[], []]
        self.asked: list[dict[int, str]] = [{}, {}]
        self.outcomes: list[Counter[int]] = [Counter(), Counter()]
        self.requests: list[list[RequestCame]] = [[], []]
        self.subscriptions: list[list[Subscription]] = [[], []]
        self.publications: list[list[Publication]] = [[], []]
        self.granted: Counter[int] = Counter()
        self.came: Counter[int] = Counter()
        self.kept: dict[int, Subscription] = {}

    def flush(self, side: int) -> None:
        self.pipes[side] += self.sides[side].take()

    def handle(self, side: int, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, RequestCame):
                self.requests[side].append(event)
            elif isinstance(event, ResponseCame):
                self.outcomes[side][event.id] += 1
            elif isinstance(event, SubscriptionEnded):
                self.outcomes[side][event.subscription.call] += 1
            elif isinstance(event, ItemCame):
                self.came[id(event.subscription)] += 1
            assert not isinstance(event, type(None))
        self.flush(side)

    @rule(side=st.integers(0, 1), progress=st.booleans())
    def call(self, side: int, progress: bool) -> None:
        try:
            number = self.sides[side].call("x", None, progress=progress)
        except TooManyCalls:
            return
        self.asked[side][number] = "call"
        self.flush(side)

    @rule(side=st.integers(0, 1), count=st.integers(1, 4))
    def batch(self, side: int, count: int) -> None:
        try:
            ids = self.sides[side].call_batch([("x", [1])] * min(count, 3))
        except TooManyCalls:
            return
        self.asked[side].update(dict.fromkeys(ids, "call"))
        self.flush(side)

    @rule(side=st.integers(0, 1), credit=st.none() | st.integers(0, 3))
    def subscribe(self, side: int, credit: int | None) -> None:
        try:
            subscription = self.sides[side].subscribe("s", credit=credit)
        except TooManyCalls:
            return
        self.asked[side][subscription.call] = "subscription"
        self.subscriptions[side].append(subscription)
        self.kept[id(subscription)] = subscription
        self.granted[id(subscription)] = 10**9 if credit is None else credit
        self.flush(side)

    @rule(side=st.integers(0, 1), items=st.integers(1, 3), data=st.data())
    def grant(self, side: int, items: int, data: st.DataObject) -> None:
        if self.subscriptions[side]:
            subscription = data.draw(st.sampled_from(self.subscriptions[side]))
            self.sides[side].grant(subscription, items)
            self.granted[id(subscription)] += items
            self.flush(side)

    @rule(side=st.integers(0, 1), data=st.data())
    def unsubscribe(self, side: int, data: st.DataObject) -> None:
        if self.subscriptions[side]:
            subscription = data.draw(st.sampled_from(self.subscriptions[side]))
            self.subscriptions[side].remove(subscription)
            if subscription.stage.value in ("opening", "open"):
                self.outcomes[side][subscription.call] += 1  # giving it up is its outcome
            self.sides[side].unsubscribe(subscription)
            self.flush(side)

    @rule(side=st.integers(0, 1), data=st.data())
    def cancel(self, side: int, data: st.DataObject) -> None:
        open_ = [
            each
            for each, kind in self.asked[side].items()
            if kind == "call" and not self.outcomes[side][each]
        ]
        if open_:
            number = data.draw(st.sampled_from(open_))
            self.sides[side].cancel(number)
            self.outcomes[side][number] += 1
            self.flush(side)

    @rule(side=st.integers(0, 1), how=st.sampled_from(["result", "error"]), data=st.data())
    def answer(self, side: int, how: str, data: st.DataObject) -> None:
        if self.requests[side]:
            request = data.draw(st.sampled_from(self.requests[side]))
            self.requests[side].remove(request)
            session = self.sides[side]
            if how == "error":
                session.reply_error(request, RpcError(1, "no"))
            elif request.method == "s":
                try:
                    self.publications[side].append(session.accept(request))
                except RpcError as error:
                    session.reply_error(request, error)
            else:
                session.reply(request, 1)
            self.flush(side)

    @rule(side=st.integers(0, 1), data=st.data())
    def publish(self, side: int, data: st.DataObject) -> None:
        ready = [each for each in self.publications[side] if each.ready]
        if ready:
            self.sides[side].publish(data.draw(st.sampled_from(ready)), "item")
            self.flush(side)

    @rule(side=st.integers(0, 1), data=st.data())
    def end(self, side: int, data: st.DataObject) -> None:
        if self.publications[side]:
            publication = data.draw(st.sampled_from(self.publications[side]))
            self.publications[side].remove(publication)
            self.sides[side].end(publication)
            self.flush(side)

    @rule(side=st.integers(0, 1), count=st.integers(1, 5))
    def deliver(self, side: int, count: int) -> None:
        for _ in range(count):
            if self.pipes[side]:
                message = self.pipes[side].pop(0)
                self.handle(1 - side, self.sides[1 - side].receive(message))

    @invariant()
    def within_credit(self) -> None:
        for key, came in self.came.items():
            assert came <= self.granted[key]
        for side in (0, 1):
            assert max(self.outcomes[side].values(), default=0) <= 1
            assert self.sides[side].calls <= 6
            assert self.sides[side].serving <= 4

    def teardown(self) -> None:
        """Everything arrives and is answered: then each call has had its one outcome."""
        while any(self.pipes) or any(self.requests):
            for side in (0, 1):
                self.deliver(side, 10**6)
                while self.requests[side]:
                    self.sides[side].reply_error(self.requests[side].pop(), RpcError(1, "no"))
                self.flush(side)
        for side in (0, 1):
            assert self.sides[side].calls == 0
            assert self.sides[side].serving == 0
            self.handle(side, self.sides[side].lost(ConnectionClosed("over")))
            assert dict(self.outcomes[side]) == dict.fromkeys(self.asked[side], 1)


class InterleavingsInMessagePack(Interleavings):
    codec = MSGPACK


for _machine in (Interleavings, InterleavingsInMessagePack):
    _machine.TestCase.settings = settings(max_examples=12, stateful_step_count=30)
TestInterleavings = Interleavings.TestCase
TestInterleavingsInMessagePack = InterleavingsInMessagePack.TestCase


class Values(SynchronousTestCase):
    @given(
        st.sampled_from(sorted(CODECS)),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
    def test_round_trip(self, name: str, value: Any) -> None:
        """What is sent is what arrives: as an argument, as a result, as an item."""
        codec = CODECS[name]
        client, server = connected(codec)
        client.call("x", {"value": value})
        request = only(carry(client, server), RequestCame)
        server.reply(request, value)
        response = only(carry(server, client), ResponseCame)
        client.subscribe("y", credit=1)
        publication = server.accept(only(carry(client, server), RequestCame))
        server.publish(publication, value)
        _, item = carry(server, client)
        assert request.params is not None
        assert response.result is not None
        assert isinstance(item, ItemCame)
        decode = msgspec.json.decode if codec is JSON else msgspec.msgpack.decode
        self.assertEqual(decode(request.params), {"value": value})
        self.assertEqual(decode(response.result), value)
        self.assertEqual(decode(item.value), value)
