from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.rooms import (
    MAX_TEXT,
    Feed,
    Membership,
    MemoryStore,
    Message,
    RoomError,
    RoomLimits,
    RoomStore,
)
from netlab.api.rooms.model import LONGEST

from .support import all_of, code_of, now


def small(**options: int) -> MemoryStore:
    return MemoryStore(RoomLimits(**options))


class Members(SynchronousTestCase):
    def test_coming_and_going(self) -> None:
        store: RoomStore = MemoryStore()
        ada = now(store.join("lab", "Ada"))
        grace = now(store.join("lab", "Grace"))
        self.assertEqual((ada.room, ada.name, ada.joined), ("lab", "Ada", 0))
        self.assertEqual(now(store.members(ada)), ["Ada", "Grace"])
        now(store.leave(ada))
        now(store.leave(ada))
        self.assertEqual(now(store.members(grace)), ["Grace"])

    def test_who_has_left_learns_nothing(self) -> None:
        store = MemoryStore()
        ada = now(store.join("lab", "Ada"))
        now(store.join("lab", "Grace"))
        now(store.leave(ada))
        for attempt in (
            store.members(ada),
            store.publish(ada, "x"),
            store.history(ada, None, 1),
            store.subscribe(ada, None),
        ):
            self.assertEqual(code_of(attempt), RoomError.NOT_JOINED)
        # The room is another one since then; nor does leaving it again do harm to it.
        again = now(store.join("lab", "Ada"))
        now(store.leave(ada))
        self.assertEqual(now(store.members(again)), ["Grace", "Ada"])

    def test_names_are_unique_in_a_room(self) -> None:
        store = MemoryStore()
        ada = now(store.join("lab", "Ada"))
        self.assertEqual(code_of(store.join("lab", "ADA")), RoomError.NAME_TAKEN)
        now(store.join("hall", "ada"))
        now(store.leave(ada))
        now(store.join("lab", "ada"))

    def test_limits(self) -> None:
        store = small(max_members=2, max_rooms=2)
        ada = now(store.join("lab", "Ada"))
        now(store.join("lab", "Grace"))
        self.assertEqual(code_of(store.join("lab", "Edsger")), RoomError.ROOM_FULL)
        now(store.join("hall", "Edsger"))
        self.assertEqual(code_of(store.join("yard", "Barbara")), RoomError.TOO_MANY_ROOMS)
        now(store.leave(ada))
        now(store.join("lab", "Barbara"))

    def test_rooms_without_members(self) -> None:
        """The one that was left first is forgotten first, and one with nothing in it at once."""
        store = small(max_rooms=2)
        for room in ("one", "two"):
            member = now(store.join(room, "Ada"))
            now(store.publish(member, room))
            now(store.leave(member))
        empty = now(store.join("one", "Ada"))  # is not idle now
        self.assertEqual(empty.joined, 1)
        three = now(store.join("three", "Ada"))
        self.assertEqual(store.rooms, 2)
        now(store.leave(three))
        self.assertEqual(store.rooms, 1)
        self.assertEqual([each.text for each in now(store.history(empty, None, 9))], ["one"])
        self.assertEqual(now(store.history(now(store.join("two", "Ada")), None, 9)), [])

    def test_ids_do_not_come_again(self) -> None:
        """In a room that is made anew they go on, so an old ``since`` is never ambiguous."""
        store = small(max_rooms=1)
        ada = now(store.join("lab", "Ada"))
        for _ in range(5):
            now(store.publish(ada, "x"))
        now(store.leave(ada))
        now(store.leave(now(store.join("hall", "Ada"))))
        ada = now(store.join("lab", "Ada"))
        self.assertEqual(ada.joined, 5)
        old, new = now(store.subscribe(ada, 2)), now(store.subscribe(ada, 0))
        self.assertEqual(now(store.history(ada, 2, 10)), [])
        woken: list[int] = []
        self.assertIsNone(old.take())
        old.wait(lambda: woken.append(1))
        self.assertEqual(woken, [])  # there is nothing yet
        self.assertEqual(now(store.publish(ada, "y")), 6)
        self.assertEqual(woken, [1])
        self.assertEqual(all_of(old), [Message(6, "Ada", "y", 3)])
        self.assertEqual(all_of(new), [Message(6, "Ada", "y")])


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = small(max_history=3)
        self.ada = now(self.store.join("lab", "Ada"))
        self.grace = now(self.store.join("lab", "Grace"))

    def say(self, *texts: str) -> list[int]:
        return [now(self.store.publish(self.ada, each)) for each in texts]

    def feed(self, since: int | None = None) -> Feed:
        return now(self.store.subscribe(self.grace, since))

    def test_feed(self) -> None:
        self.say("before")
        feed = self.feed()
        self.assertIsNone(feed.take())
        self.assertEqual(self.say("a", "b"), [2, 3])
        self.assertEqual(all_of(feed), [Message(2, "Ada", "a"), Message(3, "Ada", "b")])
        self.say("c")
        self.assertEqual(all_of(feed), [Message(4, "Ada", "c")])

    def test_since(self) -> None:
        self.say("a", "b")
        self.assertEqual([each.id for each in all_of(self.feed(0))], [1, 2])
        self.assertEqual([each.id for each in all_of(self.feed(1))], [2])
        self.assertEqual(all_of(self.feed(2)), [])
        self.assertEqual(code_of(self.store.subscribe(self.ada, 3)), RoomError.NOT_YET)
        self.assertEqual(code_of(self.store.history(self.ada, 3, 1)), RoomError.NOT_YET)

    def test_slow_reader_is_told(self) -> None:
        feed = self.feed()
        self.say(*"abcdef")
        found = all_of(feed)
        self.assertEqual([each.id for each in found], [4, 5, 6])
        self.assertEqual([each.missed for each in found], [3, 0, 0])

    def test_history(self) -> None:
        self.assertEqual(now(self.store.history(self.ada, None, 9)), [])
        self.say(*"abcde")
        read = self.store.history
        self.assertEqual([each.text for each in now(read(self.ada, None, 2))], ["d", "e"])
        self.assertEqual([each.missed for each in now(read(self.ada, None, 9))], [0, 0, 0])
        self.assertEqual(
            now(read(self.ada, 0, 2)), [Message(3, "Ada", "c", 2), Message(4, "Ada", "d")]
        )
        self.assertEqual(now(read(self.ada, 4, 2)), [Message(5, "Ada", "e")])
        self.assertEqual(now(read(self.ada, 5, 2)), [])

    def test_wake(self) -> None:
        woken: list[str] = []
        feed = self.feed()
        feed.wait(lambda: woken.append("first"))
        feed.wait(lambda: woken.append("second"))
        self.assertEqual(woken, [])
        self.say("a", "b")
        self.assertEqual(woken, ["second"])
        feed.wait(lambda: woken.append("at once"))
        self.assertEqual(woken, ["second", "at once"])

    def test_leaving_ends_feeds(self) -> None:
        woken: list[int] = []
        feeds = [self.feed(), self.feed()]
        feeds[0].wait(lambda: woken.append(0))
        self.say("a")
        feeds[0].take()
        feeds[0].wait(lambda: woken.append(0))
        now(self.store.leave(self.grace))
        self.assertEqual([each.ended for each in feeds], [True, True])
        self.assertEqual(woken, [0, 0])
        self.assertEqual(all_of(feeds[1]), [])
        feeds[1].wait(lambda: woken.append(1))
        self.assertEqual(woken, [0, 0, 1])

    def test_close(self) -> None:
        woken: list[int] = []
        feed, other = self.feed(), self.feed()
        feed.wait(lambda: woken.append(1))
        feed.close()
        feed.close()
        self.assertEqual((woken, feed.ended, other.ended), ([1], True, False))
        self.say("a")
        self.assertEqual((woken, len(all_of(other))), ([1], 1))

    def test_reader_that_closes_others_when_woken(self) -> None:
        """Who is woken may do anything to the room: nobody is woken twice, or forgotten."""
        feeds = [self.feed() for _ in range(3)]
        woken: list[int] = []

        def first() -> None:
            woken.append(0)
            feeds[1].close()
            feeds[0].take()
            feeds[0].wait(lambda: woken.append(100))
            if len(woken) < 5:
                self.say("nested")

        feeds[0].wait(first)
        feeds[1].wait(lambda: woken.append(1))
        feeds[2].wait(lambda: woken.append(2))
        self.say("a")
        self.assertEqual(sorted(woken), [0, 1, 2, 100])
        self.assertEqual([each.text for each in all_of(feeds[2])], ["a", "nested"])

    def test_bytes_are_bounded(self) -> None:
        store = small(history_bytes=LONGEST)
        ada = now(store.join("lab", "Ada"))
        for text in ("\U0001f600" * MAX_TEXT, "\x00" * MAX_TEXT, "é" * MAX_TEXT, "a"):
            for _ in range(3):
                now(store.publish(ada, text))
                found = now(store.history(ada, None, 1000))
                self.assertGreaterEqual(len(found), 1)
                self.assertEqual(found[-1].text, text)
                self.assertLessEqual(sum(200 + len(each.text.encode()) for each in found), LONGEST)


class Room(RuleBasedStateMachine):
    """Any order of events: each reader gets one order, each message once, gaps when told."""

    def __init__(self) -> None:
        super().__init__()
        self.store = small(max_history=4, max_members=4, max_rooms=2)
        self.said: dict[str, dict[int, tuple[str, str]]] = {"a": {}, "b": {}, "c": {}}
        self.present: dict[tuple[str, str], Membership] = {}
        self.readers: list[tuple[Membership, Feed, list[int]]] = []
        self.woken: set[int] = set()
        self.waiting: set[int] = set()

    @rule(room=st.sampled_from("abc"), name=st.sampled_from(["Ada", "ada", "Grace", "Edsger"]))
    def join(self, room: str, name: str) -> None:
        taken = any(key == (room, name.lower()) for key in self.present)
        others = {each for each, _ in self.present}
        if taken:
            assert code_of(self.store.join(room, name)) == RoomError.NAME_TAKEN
        elif room not in others and len(others) == 2:
            assert code_of(self.store.join(room, name)) == RoomError.TOO_MANY_ROOMS
        else:
            self.present[room, name.lower()] = now(self.store.join(room, name))

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.present)))
        member = self.present.pop(key)
        now(self.store.leave(member))
        for other, feed, _ in self.readers:
            assert feed.ended or other is not member
        self.readers = [each for each in self.readers if each[0] is not member]

    @precondition(lambda self: self.present)
    @rule(data=st.data(), text=st.text(min_size=1, max_size=3))
    def publish(self, data: Any, text: str) -> None:
        member = self.present[data.draw(st.sampled_from(sorted(self.present)))]
        waiting = {id(each) for to, each, _ in self.readers if to.room == member.room}
        waiting &= self.waiting
        number = now(self.store.publish(member, text))
        said = self.said[member.room]
        assert number > max(said, default=0)
        said[number] = (member.name, text)
        assert waiting <= self.woken

    @precondition(lambda self: self.present)
    @rule(data=st.data(), wait=st.booleans(), back=st.none() | st.integers(0, 6))
    def subscribe(self, data: Any, wait: bool, back: int | None) -> None:
        member = self.present[data.draw(st.sampled_from(sorted(self.present)))]
        newest = max(member.joined, *self.said[member.room], 0)
        since = None if back is None else max(newest - back, 0)
        feed = now(self.store.subscribe(member, since))
        self.readers.append((member, feed, [newest if since is None else since]))

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), many=st.integers(1, 5))
    def read(self, data: Any, many: int) -> None:
        member, feed, seen = data.draw(st.sampled_from(self.readers))
        said = self.said[member.room]
        for _ in range(many):
            message = feed.take()
            if message is None:
                assert not feed.ended
                feed.wait(lambda: self.woken.add(id(feed)))
                self.woken.discard(id(feed))
                self.waiting.add(id(feed))
                return
            assert (message.name, message.text) == said[message.id]
            if seen[-1]:
                assert message.id == seen[-1] + message.missed + 1
            assert message.id > seen[-1]
            seen.append(message.id)

    @invariant()
    def bounded(self) -> None:
        assert self.store.rooms <= 2
        for (room, _), member in self.present.items():
            found = now(self.store.history(member, 0, 100))
            assert len(found) <= 4
            ids = [each.id for each in found]
            assert ids == list(range(ids[0], ids[0] + len(ids))) if ids else True
            assert all(self.said[room][each.id] == (each.name, each.text) for each in found)


RoomTests = Room.TestCase
RoomTests.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
