from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Calling, Code, Context, RpcError, describe
from netlab.api.jsonrpc import JSON
from netlab.api.rooms import (
    Feed,
    Membership,
    MemoryStore,
    Message,
    RoomError,
    RoomLimits,
    Rooms,
)
from netlab.api.rooms.reading import Messages


class SlowStore(MemoryStore):
    """Lets nobody in before ``door`` opens."""

    def __init__(self) -> None:
        super().__init__()
        self.door: Deferred[None] = Deferred()

    async def join(self, room: str, name: str) -> Membership:
        await self.door
        return await super().join(room, name)


class Visitor:
    """A connection to ``rooms``: calls with params as JSON has them."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.state: dict[str, Any] = {}

    def context(self, method: str = "x") -> Context:
        return Context(method=method, state=self.state)

    def call(self, method: str, params: bytes) -> Deferred[Any]:
        """What the method returns; checked as a server does."""
        declared = describe(self.rooms).declared[method]
        wire = declared.on(JSON)

        async def calling() -> Any:
            args, named, _ = wire.arguments(params)
            result = await declared.invoke(self.rooms, args, named, self.context(method))
            if not isinstance(result, Messages):
                wire.result(result)
            return result

        return Deferred.fromCoroutine(calling())

    def disconnect(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.rooms.disconnected(self.context()))


class RoomsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.rooms = Rooms(limits=RoomLimits(max_joined=2, max_history=3))
        self.ada, self.grace = Visitor(self.rooms), Visitor(self.rooms)

    def do(self, visitor: Visitor, method: str, params: bytes) -> Any:
        return self.successResultOf(visitor.call(method, params))

    def refused(self, visitor: Visitor, method: str, params: bytes) -> RpcError:
        error = self.failureResultOf(visitor.call(method, params), RpcError).value
        assert isinstance(error, RpcError)
        return error

    def both(self) -> None:
        """Ada and Grace are in the lab."""
        self.do(self.ada, "join", b'["lab","Ada"]')
        self.do(self.grace, "join", b'["lab","Grace"]')

    def next(self, messages: Messages) -> Deferred[Message]:
        return Deferred.fromCoroutine(messages.__anext__())


class Calls(RoomsCase):
    def test_declared(self) -> None:
        declared = describe(Rooms).declared
        self.assertEqual(
            list(declared), ["join", "leave", "publish", "members", "history", "messages"]
        )
        self.assertIs(declared["messages"].signature.calling, Calling.COROUTINE)
        for each in declared.values():
            self.assertTrue(each.summary, each)
            self.assertNotIn("ctx", [argument.name for argument in each.signature.arguments])
        describe(Rooms).schemas()

    def test_conversation(self) -> None:
        self.both()
        messages = self.do(self.grace, "messages", b'["lab"]')
        waiting = self.next(messages)
        self.assertNoResult(waiting)
        self.assertEqual(self.do(self.ada, "publish", b'["lab","hello"]'), 1)
        self.assertEqual(self.successResultOf(waiting), Message(1, "Ada", "hello"))
        self.assertEqual(self.do(self.ada, "members", b'["lab"]'), ["Ada", "Grace"])
        self.assertEqual(
            self.do(self.ada, "history", b'{"room":"lab"}'), [Message(1, "Ada", "hello")]
        )

    def test_join(self) -> None:
        self.assertEqual(self.do(self.ada, "join", b'["lab","Ada"]'), 0)
        self.do(self.ada, "publish", b'["lab","hello"]')
        self.assertEqual(self.do(self.ada, "join", b'["lab","Ada"]'), 0)
        self.assertEqual(self.do(self.grace, "join", b'["lab","Grace"]'), 1)

    def test_errors(self) -> None:
        for method, params in (
            ("publish", b'["lab","x"]'),
            ("members", b'["lab"]'),
            ("history", b'["lab"]'),
            ("messages", b'["lab"]'),
        ):
            error = self.refused(self.ada, method, params)
            self.assertEqual(error.code, RoomError.NOT_JOINED)
            self.assertEqual(error.message, "you are not in lab: join it first")
        self.both()
        for visitor, params, code in (
            (self.ada, b'["lab","Adele"]', RoomError.OTHER_NAME),
            (Visitor(self.rooms), b'["lab","ADA"]', RoomError.NAME_TAKEN),
        ):
            self.assertEqual(self.refused(visitor, "join", params).code, code)
        self.do(self.ada, "join", b'["hall","Ada"]')
        error = self.refused(self.ada, "join", b'["yard","Ada"]')
        self.assertEqual(error.code, RoomError.TOO_MANY_ROOMS)
        self.assertIn("leave one", error.message)

    def test_arguments(self) -> None:
        """What the annotations refuse, and what the check of names does, is said alike."""
        for params, argument, said in (
            (b'["lab",""]', "name", "length >= 1"),
            (b'["lab","%s"]' % (b"x" * 33), "name", "length <= 32"),
            (b'["%s","Ada"]' % (b"x" * 65), "room", "length <= 64"),
            (b'["lab","\\u202eadA"]', "name", r"name: U\+202E cannot be seen"),
            (b'["la\\nb","Ada"]', "room", r"room: U\+000A cannot be seen"),
            (b'["lab",7]', "name", "Expected `str`"),
        ):
            error = self.refused(self.ada, "join", params)
            self.assertEqual(error.code, Code.INVALID_PARAMS)
            self.assertEqual(error.data["argument"], argument)
            self.assertEqual(error.data["path"], f"$.{argument}")
            self.assertRegex(error.message, said)
        self.both()
        for method, params in (
            ("publish", b'["lab",""]'),
            ("publish", b'["lab","%s"]' % (b"x" * 4001)),
            ("history", b'["lab",-1]'),
            ("history", b'["lab",null,0]'),
            ("history", b'["lab",null,1001]'),
            ("messages", b'["lab",-1]'),
        ):
            self.assertEqual(self.refused(self.ada, method, params).code, Code.INVALID_PARAMS)

    def test_names_in_normal_form(self) -> None:
        self.do(self.ada, "join", b'["cafe\\u0301","Zoe\\u0308"]')
        self.assertEqual(self.do(self.ada, "members", '["café"]'.encode()), ["Zoë"])

    def test_missed(self) -> None:
        """A slow reader is told what it missed; the others had it all in time."""
        self.both()
        slow = self.do(self.grace, "messages", b'["lab"]')
        quick = self.do(self.ada, "messages", b'["lab"]')
        for number in range(1, 8):
            self.do(self.ada, "publish", b'["lab","x"]')
            self.assertEqual(self.successResultOf(self.next(quick)).id, number)
        message = self.successResultOf(self.next(slow))
        self.assertEqual((message.id, message.missed), (5, 4))


class Ends(RoomsCase):
    def test_leaving_ends_messages(self) -> None:
        self.both()
        messages = self.do(self.grace, "messages", b'["lab"]')
        waiting = self.next(messages)
        self.do(self.grace, "leave", b'["lab"]')
        self.failureResultOf(waiting, StopAsyncIteration)
        self.failureResultOf(self.next(messages), StopAsyncIteration)
        self.do(self.grace, "leave", b'["lab"]')
        self.assertEqual(self.do(self.ada, "members", b'["lab"]'), ["Ada"])

    def test_end_of_the_connection(self) -> None:
        self.both()
        self.do(self.grace, "join", b'["hall","Grace"]')
        waiting = self.next(self.do(self.grace, "messages", b'["lab"]'))
        self.successResultOf(self.grace.disconnect())
        self.failureResultOf(waiting, StopAsyncIteration)
        self.assertEqual(self.do(self.ada, "members", b'["lab"]'), ["Ada"])
        self.do(self.ada, "join", b'["hall","Grace"]')

    def test_who_never_joined_disconnects(self) -> None:
        self.successResultOf(self.ada.disconnect())

    def test_end_while_coming_in(self) -> None:
        """Who is gone when the door opens is in no room."""
        store = SlowStore()
        rooms = Rooms(store)
        ada = Visitor(rooms)
        joining = ada.call("join", b'["lab","Ada"]')
        self.assertNoResult(joining)
        self.successResultOf(ada.disconnect())
        store.door.callback(None)
        self.successResultOf(joining)
        self.assertEqual(store.rooms, 0)

    def test_limit_while_coming_in(self) -> None:
        store = SlowStore()
        ada = Visitor(Rooms(store, limits=RoomLimits(max_joined=1)))
        joining = ada.call("join", b'["lab","Ada"]')
        error = self.refused(ada, "join", b'["hall","Ada"]')
        self.assertEqual(error.code, RoomError.TOO_MANY_ROOMS)
        joining.addErrback(lambda failure: failure.trap(CancelledError) and None)
        joining.cancel()
        self.successResultOf(joining)

    def test_cancelled_reading(self) -> None:
        self.both()
        messages = self.do(self.grace, "messages", b'["lab"]')
        waiting = self.next(messages)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertTrue(messages.feed.ended)
        self.do(self.ada, "publish", b'["lab","x"]')

    def test_aclose(self) -> None:
        self.both()
        messages = self.do(self.grace, "messages", b'["lab"]')
        self.assertIs(aiter(messages), messages)
        waiting = self.next(messages)
        self.successResultOf(Deferred.fromCoroutine(messages.aclose()))
        self.failureResultOf(waiting, StopAsyncIteration)
        self.do(self.ada, "publish", b'["lab","x"]')

    def test_as_a_feed(self) -> None:
        """Whoever reads without a coroutine gets the same."""
        self.both()
        feed: Feed = self.do(self.grace, "messages", b'["lab"]').feed
        woken: list[int] = []
        feed.wait(lambda: woken.append(1))
        self.do(self.ada, "publish", b'["lab","x"]')
        self.assertEqual((woken, feed.ended), ([1], False))
        self.assertEqual(feed.take(), Message(1, "Ada", "x"))
        self.assertIsNone(feed.take())
        feed.close()
        self.assertTrue(feed.ended)
