"""Rooms as they are served: in memory, with members who speak JSON by hand."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.rooms import MemoryStore, RoomError, RoomLimits, Rooms
from netlab.testing import Faults, MemoryServer, RawPeer, serve


class Member:
    """One connection; ``items`` are the messages of rooms it got."""

    def __init__(self, link: MemoryServer, faults: Faults | None = None) -> None:
        self.link = link
        self.peer: RawPeer = link.connect_raw(faults=faults)
        self.last = 0

    def send(self, method: str, *params: Any, id: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.peer.send_message(msgspec.json.encode(message | ({} if id is None else {"id": id})))

    def call(self, method: str, *params: Any) -> Any:
        """What the answer says: its result, or its error."""
        self.last += 1
        self.send(method, *params, id=self.last)
        self.link.advance(5)
        (answer,) = (each for each in self.heard if each.get("id") == self.last)
        return answer["result"] if "result" in answer else answer["error"]

    def credit(self, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": "$/credit", "params": params}
        self.peer.send_message(msgspec.json.encode(message))

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(each) for each in self.peer.messages]

    @property
    def items(self) -> list[dict[str, Any]]:
        return [each["params"]["value"] for each in self.heard if each.get("method") == "$/item"]

    @property
    def ends(self) -> int:
        return sum(each.get("method") == "$/end" for each in self.heard)


class Served(SynchronousTestCase):
    def serve(self, **limits: int) -> None:
        self.store = MemoryStore(RoomLimits(**limits))
        self.link = serve(Rooms(self.store))
        self.addCleanup(self.link.close)

    def member(self, name: str, room: str = "lab") -> Member:
        member = Member(self.link)
        self.assertIsInstance(member.call("join", room, name), int)
        return member

    def test_conversation(self) -> None:
        self.serve()
        ada, grace = self.member("Ada"), self.member("Grace")
        self.assertEqual(grace.call("messages", "lab"), 1)
        self.assertEqual(ada.call("publish", "lab", "hello"), 1)
        self.assertEqual(grace.items, [{"id": 1, "name": "Ada", "text": "hello"}])
        self.assertEqual(ada.call("history", "lab"), grace.items)
        self.assertEqual(ada.call("publish", "hall", "hello")["code"], RoomError.NOT_JOINED)

    def test_ends(self) -> None:
        """Of a subscription: by the subscriber, by leaving."""
        self.serve()
        ada, grace = self.member("Ada"), self.member("Grace")
        for _ in range(2):
            grace.call("messages", "lab")
        message = {"jsonrpc": "2.0", "method": "$/unsubscribe", "params": {"subscription": 1}}
        grace.peer.send_message(msgspec.json.encode(message))
        self.link.advance(1)
        self.assertEqual(grace.ends, 1)
        ada.call("publish", "lab", "x")
        self.assertEqual(len(grace.items), 1)
        grace.call("leave", "lab")
        self.assertEqual(grace.ends, 2)
        self.assertEqual(ada.call("members", "lab"), ["Ada"])

    def test_end_of_connection(self) -> None:
        self.serve()
        ada, grace, edsger = self.member("Ada"), self.member("Grace"), self.member("Edsger")
        grace.call("messages", "lab")
        grace.peer.reset()
        edsger.peer.close()
        self.link.advance(5)
        self.assertEqual(ada.call("members", "lab"), ["Ada"])
        self.member("Grace")
        ada.peer.close()
        self.link.advance(5)

    def test_slow_member_without_credit(self) -> None:
        """One who reads nothing holds nobody up; reading again, it is told what it missed."""
        self.serve(max_history=10)
        ada, quick, slow = self.member("Ada"), self.member("Quick"), self.member("Slow")
        for each in (quick, slow):
            each.call("messages", "lab")
        slow.peer.pause()
        text = "x" * 4000
        for _ in range(200):
            ada.send("publish", "lab", text)
        self.link.advance(1)
        self.assertEqual([each["id"] for each in quick.items], list(range(1, 201)))
        slow.peer.resume()
        self.link.advance(5)
        self.check(slow, 200)
        self.assertTrue(any(each.get("missed") for each in slow.items))

    def test_slow_member_with_credit(self) -> None:
        """The connection of one who grants no credit still answers, and keeps nothing for it."""
        self.serve(max_history=10)
        ada, slow = self.member("Ada"), self.member("Slow")
        slow.credit(items=2)
        slow.call("messages", "lab")
        for _ in range(50):
            ada.send("publish", "lab", "x")
        self.link.advance(1)
        self.assertEqual([each["id"] for each in slow.items], [1, 2])
        self.assertEqual(slow.call("members", "lab"), ["Ada", "Slow"])
        slow.credit(subscription=1, items=100)
        self.link.advance(1)
        self.check(slow, 50)
        self.assertEqual([each.get("missed", 0) for each in slow.items[2:]], [38] + 9 * [0])

    def check(self, member: Member, newest: int) -> None:
        """In order, each once, with gaps that are told, up to the newest."""
        expected = 1
        for each in member.items:
            expected += each.get("missed", 0)
            self.assertEqual(each["id"], expected)
            expected += 1
        self.assertEqual(expected, newest + 1)

    @given(seed=st.integers(0, 1000), authors=st.integers(1, 3), chunk=st.integers(20, 300))
    @settings(max_examples=10)
    def test_one_order(self, seed: int, authors: int, chunk: int) -> None:
        """However the network behaves, all have the same messages in the same order."""
        with serve(Rooms(), faults=Faults(seed=seed, chunk=chunk, jitter=0.2)) as link:
            members = [Member(link) for _ in range(authors + 1)]
            for number, each in enumerate(members):
                each.send("join", "lab", f"member {number}", id=1)
                each.send("messages", "lab", id=2)
            link.advance(60)
            for number in range(5):
                for each in members[:authors]:
                    each.send("publish", "lab", f"{number}")
            link.advance(60)
            heard = members[0].items
            self.assertEqual([each["id"] for each in heard], list(range(1, 5 * authors + 1)))
            for each in members:
                self.assertEqual(each.items, heard)
            for number in range(authors):
                texts = [each["text"] for each in heard if each["name"] == f"member {number}"]
                self.assertEqual(texts, list("01234"))
