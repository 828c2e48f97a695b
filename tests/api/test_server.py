"""An api on connections: what a peer with nothing but JSON sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from netlab import ConfigurationError, ContentLength, Limits, Line
from netlab.api import Api, ApiFactory, Context, RpcError, SessionLimits, method
from netlab.message import MessageFactory, factory_for
from netlab.testing import Faults
from netlab.testing.memory import RawPeer

from .support import Calculator, Case, Feeding, Link


class Raw:
    """A peer that writes messages by hand."""

    def __init__(self, link: Link, **options: Any) -> None:
        self.link = link
        self.peer: RawPeer = link.connect_raw(**options)
        self._seen = 0

    def send(self, *messages: Any) -> None:
        """Sends ``messages``, all in one piece."""
        encoded = [
            each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages
        ]
        self.peer.send(self.link.server.framing.encode_many(encoded))

    def call(self, id: Any, method: str, params: Any = None) -> None:
        self.send(request(id, method, params))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    @property
    def news(self) -> list[Any]:
        """What has come since the last time."""
        messages = [json.loads(each) for each in self.peer.messages]
        seen, self._seen = self._seen, len(messages)
        return messages[seen:]

    def results(self) -> list[Any]:
        """The results, or codes of errors, that came, as (id, it)."""
        return [
            (each["id"], each["result"] if "result" in each else each["error"]["code"])
            for each in self.news
        ]


def request(id: Any, method: str, params: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def items(messages: Sequence[Any]) -> list[Any]:
    """The values of ``$/item``, and the codes of ``$/end``."""
    values: list[Any] = []
    for each in messages:
        if each.get("method") == "$/item":
            values.append(each["params"]["value"])
        elif each.get("method") == "$/end":
            error = each["params"].get("error")
            values.append(("end", error and error["code"]))
    return values


class Calls(Case):
    def raw(self, link: Link, **options: Any) -> Raw:
        return Raw(link, **options)

    def test_kinds_of_methods(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.call(1, "add", [1, 2])
        raw.call("x", "add", {"b": 1, "a": 2})
        raw.call(1.5, "soon", [7])
        raw.call(2, "deferred", ["a"])
        link.api.waiting[0].callback("late")
        link.advance()
        self.assertEqual(raw.results(), [(1, 3), ("x", 3), (1.5, 7), (2, "late")])

    def test_answers_overtake(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.send(request(1, "wait", ["a"]), request(2, "wait", ["b"]), request(3, "add", [1, 1]))
        self.assertEqual(raw.results(), [(3, 2)])
        link.api.waiting[1].callback("second")
        link.advance()
        link.api.waiting[0].callback("first")
        link.advance()
        self.assertEqual(raw.results(), [(2, "second"), (1, "first")])

    def test_same_id(self) -> None:
        """A call with the id of one that still waits is refused, also if it need not wait."""
        link = self.serve()
        raw = self.raw(link)
        raw.call(1, "wait", ["a"])
        raw.call(1, "add", [1, 2])
        raw.call(2, "add", [1, 2])
        self.assertEqual(raw.results(), [(1, -32600), (2, 3)])
        link.api.waiting[0].callback("b")
        link.advance()
        raw.call(1, "add", [1, 2])
        self.assertEqual(raw.results(), [(1, "b"), (1, 3)])

    def test_great_numbers(self) -> None:
        """They come back in JSON; what MessagePack cannot write is an error."""
        raw = self.raw(self.serve())
        raw.call(1 << 80, "add", [1, 2])
        raw.call(1, "add", [1 << 63, 1 << 63])
        raw.call(10**1500, "add", [1, 2])
        self.assertEqual(raw.results(), [(1 << 80, 3), (1, 1 << 64), (None, -32600)])
        peer = self.serve(codec="msgpack").connect_raw()
        peer.send_message(msgspec.msgpack.encode(request(1, "add", [1 << 63, 1 << 63])))
        peer.send_message(msgspec.msgpack.encode(request(2, "add", [1, 2])))
        wrong, right = map(msgspec.msgpack.decode, peer.messages)
        self.assertEqual((wrong["id"], wrong["error"]["code"]), (1, -32603))
        self.assertEqual((right["id"], right["result"]), (2, 3))
        self.assertEqual(len(self.incidents()), 1)

    def test_batch(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.send([request(1, "add", [1, 2]), request(2, "wait", ["a"])])
        self.assertEqual(raw.news, [])
        link.api.waiting[0].callback("b")
        link.advance()
        (batch,) = raw.news
        self.assertEqual([each["result"] for each in batch], [3, "b"])

    def test_chunks(self) -> None:
        link = self.serve()
        raw = self.raw(link, faults=Faults(seed=3, chunk=3))
        for each in range(20):
            raw.call(each, "add", [each, 1])
        link.advance(1)
        self.assertEqual(raw.results(), [(each, each + 1) for each in range(20)])

    def test_errors(self) -> None:
        """Those meant for the peer; all others under a name that the log has, too."""
        link = self.serve()
        raw = self.raw(link)
        raw.call(1, "refuse", [5])
        raw.call(2, "fail")
        raw.call(3, "lie")
        raw.call(4, "nothing")
        raw.call(5, "ad")
        raw.call(6, "add", [1, "x"])
        refused, failed, lied, unknown, near, invalid = raw.news
        self.assertEqual(refused["error"], {"code": 5, "message": "no", "data": {"why": "so"}})
        for each in (failed, lied):
            self.assertEqual(each["error"]["code"], -32603)
            self.assertRegex(each["error"]["data"]["incident"], "^[0-9a-f]{8}$")
            self.assertNotIn("secret", json.dumps(each))
        self.assertEqual(len(self.incidents()), 2)
        self.assertEqual(unknown["error"]["code"], -32601)
        self.assertIn("is it add?", near["error"]["data"])
        self.assertEqual(invalid["error"]["data"]["path"], "$.b")

    def test_guesses_come_to_an_end(self) -> None:
        """They cost more than calls do: who asks for unknown methods without end has few."""
        link = self.serve()
        raw = self.raw(link)
        raw.send(*[request(each, "ad") for each in range(50)])
        hints = [each["error"]["data"] for each in raw.news]
        self.assertEqual(hints[0], "there is no ad; is it add?")
        self.assertEqual(hints, [hints[0]] * 20 + ["there is no ad"] * 30)

    def test_no_way_to_hidden_names(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        for name in ("__init__", "waiting", "_description", "$/nothing", "rpc.nothing", ""):
            raw.call(1, name)
        self.assertEqual({code for _, code in raw.results()}, {-32601})

    def test_broken_messages(self) -> None:
        """The connection lives on."""
        link = self.serve()
        raw = self.raw(link)
        for each in (b"{", b"[]", b"1", b"\xff", b'{"jsonrpc":"2.0","id":1}', b"[" * 1000):
            raw.send(each)
        raw.call(1, "add", [1, 2])
        *broken, good = raw.news
        self.assertEqual([each["error"]["code"] for each in broken[:2]], [-32700, -32600])
        self.assertEqual(good["result"], 3)

    def test_ids_that_are_too_long(self) -> None:
        """The same for all methods, however they are answered; none of them is called."""
        link = self.serve()
        raw = self.raw(link)
        for name, params in (("add", [1, 2]), ("fail", []), ("soon", [1]), ("deferred", ["a"])):
            raw.call(int("9" * 1001), name, params)
            self.assertEqual(raw.results(), [(None, -32600)], name)
        self.assertEqual(link.api.waiting, [])
        raw.call(int("9" * 1000), "add", [1, 2])
        self.assertEqual(raw.results(), [(int("9" * 1000), 3)])

    def test_too_long(self) -> None:
        link = self.serve(framing=Line(max_message=1000))
        raw = self.raw(link)
        raw.call(1, "text", [2000])
        raw.call(2, "text", [20])
        self.assertEqual(raw.results(), [(1, -32015), (2, "x" * 20)])

    def test_max_in_flight(self) -> None:
        link = self.serve(limits=None)
        link.factory.limits = SessionLimits(max_in_flight=2)
        raw = self.raw(link)
        for each in range(3):
            raw.call(each, "wait", ["a"])
        self.assertEqual(raw.results(), [(2, -32010)])
        link.api.waiting[0].callback("x")
        raw.call(4, "add", [1, 1])
        self.assertEqual(raw.results(), [(0, "x"), (4, 2)])

    def test_notifications(self) -> None:
        link = self.serve()
        link.factory.limits = SessionLimits(max_in_flight=2)
        raw = self.raw(link)
        raw.notify("wait", ["a"])
        raw.notify("fail")
        raw.notify("refuse", [1])
        raw.notify("add", ["x"])
        raw.notify("nothing")
        self.assertEqual(raw.news, [])
        self.assertEqual(self.incidents(), ["a secret"])
        raw.notify("wait", ["b"])
        raw.call(1, "add", [1, 2])
        self.assertEqual(raw.news, [], "nothing more is read while so many are under way")
        link.api.waiting[0].callback("")
        link.advance()
        self.assertEqual(raw.results(), [(1, 3)])

    def test_cancel(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.call("a", "wait", ["a"])
        raw.call(2, "deferred", ["b"])
        for each in ("a", 2, 3, "a"):
            raw.notify("$/cancelRequest", {"id": each})
        self.assertEqual(raw.results(), [("a", -32800), (2, -32800)])
        self.assertEqual(link.api.ended, ["a"])

    def test_disconnect_cancels(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.call(1, "wait", ["a"])
        raw.notify("wait", ["b"])
        raw.call(3, "silent")
        raw.peer.reset()
        link.advance(1)
        self.assertEqual(sorted(link.api.ended), ["a", "b", "silent"])

    def test_deadline(self) -> None:
        link = self.serve(deadline=5)
        raw = self.raw(link)
        raw.call(1, "wait", ["a"])
        link.advance(4)
        self.assertEqual(raw.news, [])
        link.advance(2)
        self.assertEqual(raw.results(), [(1, -32013)])
        self.assertEqual(link.api.ended, ["a"])

    def test_context(self) -> None:
        link = self.serve()
        raw, other = self.raw(link), self.raw(link)
        raw.call(1, "peer")
        raw.call(2, "peer")
        other.call(3, "peer")
        expected = [(1, "True None 1"), (2, "True None 2"), (3, "True None 1")]
        self.assertEqual(raw.results() + other.results(), expected)

    def test_progress(self) -> None:
        link = self.serve()
        raw = self.raw(link)
        raw.call(1, "work", {"steps": 1, "workDoneToken": "t"})
        progress, answer = raw.news
        self.assertEqual(progress["params"], {"token": "t", "value": {"step": 0}})
        self.assertEqual(answer["result"], "done")
        raw.call(2, "work", {"steps": 1})
        self.assertEqual(raw.results(), [(2, "done")])
        raw.call(3, "work", {"steps": 1, "workDoneToken": "t" * 1001})  # each report repeats it
        (refused,) = raw.news
        self.assertEqual(refused["error"]["code"], -32602)
        self.assertEqual(refused["error"]["data"]["path"], "$.workDoneToken")

    def test_discover(self) -> None:
        def document(description: Any) -> Any:
            return {"title": description.name}

        link = self.serve(discover=document)
        raw = self.raw(link)
        raw.call(1, "rpc.discover")
        self.assertEqual(raw.results(), [(1, {"title": "Calculator"})])

    def test_framings(self) -> None:
        for framing in (Line(), ContentLength()):
            link = self.serve(framing=framing)
            raw = self.raw(link)
            raw.call(1, "add", [1, 2])
            self.assertEqual(raw.results(), [(1, 3)])


class Ending(Case):
    def test_half_close(self) -> None:
        """``printf ... | nc``: what was asked is answered; subscriptions end."""
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "wait", ["a"])
        raw.call(2, "silent")
        raw.peer.half_close()
        link.advance(1)
        self.assertFalse(raw.peer.gone)
        self.assertEqual(link.api.ended, ["silent"])
        link.api.waiting[0].callback("late")
        link.advance(1)
        opened, end, answer = raw.news
        self.assertEqual((opened["result"], end["method"], answer["result"]), (1, "$/end", "late"))
        self.assertTrue(raw.peer.ended)

    def test_drain(self) -> None:
        """Calls in flight are finished, subscriptions end, and then the connection."""
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "wait", ["a"])
        raw.call(2, "silent")
        self.assertEqual(raw.results(), [(2, 1)])
        stopped = link.server.stop(10)
        link.advance(1)
        self.assertNoResult(stopped)
        self.assertEqual(items(raw.news), [("end", -32014)])
        link.api.waiting[0].callback("late")
        link.advance(1)
        self.assertEqual(raw.results(), [(1, "late")])
        raw.peer.close()
        link.advance(1)
        self.successResultOf(stopped)

    def test_grace_runs_out(self) -> None:
        """A method that never returns is cancelled."""
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "wait", ["a"])
        stopped = link.server.stop(3)
        link.advance(4)
        self.successResultOf(stopped)
        self.assertEqual(link.api.ended, ["a"])

    def test_not_idle(self) -> None:
        """Who waits for an answer, or for items, is not idle; who waits for nothing is."""
        link = self.serve(limits=Limits(idle_timeout=5))
        waiting, listening, idle = Raw(link), Raw(link), Raw(link)
        waiting.call(1, "wait", ["a"])
        listening.call(1, "silent")
        idle.call(1, "add", [1, 2])
        link.advance(20)
        self.assertEqual([each.peer.gone for each in (waiting, listening, idle)], [0, 0, 1])
        link.api.waiting[0].callback("late")
        link.advance(20)
        self.assertTrue(waiting.peer.gone)


class Farewell(Case):
    """``disconnected``, the hook of an api."""

    def test_called_once_for_each(self) -> None:
        seen: list[Any] = []

        class Guests(Api):
            @method
            async def come(self, ctx: Context, name: str) -> None:
                ctx.state["name"] = name

            async def disconnected(self, ctx: Context) -> None:
                seen.append(ctx.state.get("name"))
                if not ctx.state:
                    raise ValueError("nobody")

        link = self.serve(Guests)
        ada, nobody = Raw(link), Raw(link)
        ada.call(1, "come", ["Ada"])
        ada.call(2, "disconnected")
        self.assertEqual(ada.results(), [(1, None), (2, -32601)])
        ada.peer.close()
        nobody.peer.reset()
        link.advance(1)
        self.assertEqual(seen, ["Ada", None])
        self.assertEqual(self.incidents(), ["nobody"])

    def test_a_method_of_that_name(self) -> None:
        class Line(Api):
            @method
            def disconnected(self) -> bool:
                return True

        link = self.serve(Line)
        raw = Raw(link)
        raw.call(1, "disconnected")
        self.assertEqual(raw.results(), [(1, True)])
        raw.peer.close()


class Subscriptions(Case):
    def test_items(self) -> None:
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "countdown", [3])
        opened, *rest = raw.news
        self.assertEqual(opened, {"jsonrpc": "2.0", "id": 1, "result": 1})
        self.assertEqual(items(rest), [3, 2, 1, ("end", None)])

    def test_refused_and_failed(self) -> None:
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "refusing", ["now"])
        raw.call(2, "refusing", ["please"])
        raw.call(3, "countdown", ["x"])
        refused, opened, two, one, end, invalid = raw.news
        self.assertEqual(refused["error"]["code"], 7)
        self.assertEqual(opened["result"], 1)
        self.assertEqual(items([two, one, end]), [2, 1, ("end", None)])
        self.assertEqual(invalid["error"]["code"], -32602)
        raw.call(4, "failing")
        self.assertEqual(items(raw.news[1:]), [1, ("end", -32603)])
        self.assertEqual(self.incidents(), ["a secret"])

    def test_credit(self) -> None:
        """Nothing is even made before there is credit for it."""
        link = self.serve()
        raw = Raw(link)
        raw.notify("$/credit", {"items": 2})
        raw.call(1, "countdown", [100])
        self.assertEqual(items(raw.news), [100, 99])
        self.assertEqual(link.api.made, 2)
        raw.notify("$/credit", {"subscription": 1, "items": 3})
        self.assertEqual(items(raw.news), [98, 97, 96])
        raw.notify("$/unsubscribe", {"subscription": 1})
        self.assertEqual(items(raw.news), [("end", None)])
        self.assertEqual(link.api.ended, ["countdown"])

    def test_drop(self) -> None:
        """The newest is kept, and how many were left out is said."""
        link = self.serve()
        raw = Raw(link)
        raw.notify("$/credit", {"items": 1})
        raw.call(1, "dropping", [10])
        self.assertEqual(items(raw.news), [0])
        raw.notify("$/credit", {"subscription": 1, "items": 5})
        last, end = raw.news
        self.assertEqual(last["params"], {"subscription": 1, "dropped": 8, "value": 9})
        self.assertEqual(items([end]), [("end", None)])

    def test_close(self) -> None:
        link = self.serve()
        raw = Raw(link)
        raw.notify("$/credit", {"items": 1})
        raw.call(1, "closing", [10])
        self.assertEqual(items(raw.news), [0, ("end", -32012)])

    def test_reads_nothing(self) -> None:
        """Who grants everything and reads nothing bounds memory all the same."""
        link = self.serve(limits=Limits(write_timeout=None))
        raw = Raw(link, faults=Faults(capacity=4096))
        raw.peer.pause()
        raw.call(1, "countdown", [20_000])
        link.advance(1)
        (stream,) = link.server.streams.streams
        self.assertLess(stream.buffered, 70_000)
        self.assertLess(link.api.made, 2000)
        made = link.api.made
        raw.peer.resume()
        link.advance(1)
        self.assertGreater(link.api.made, made)

    def test_others_have_their_turn(self) -> None:
        """An iterator that never waits does not keep the server for itself."""
        link = self.serve(limits=Limits(write_timeout=None))
        busy, other = Raw(link), Raw(link)
        busy.peer.pause()
        busy.call(1, "dropping", [5000])
        other.call(1, "add", [1, 2])
        self.assertEqual(other.results(), [(1, 3)])

    def test_answers_wait_for_a_slow_reader(self) -> None:
        """Answers of methods that waited are not thrown at a peer that does not read."""
        link = self.serve(limits=Limits(write_timeout=None))
        raw = Raw(link, faults=Faults(capacity=4096))
        for each in range(20):
            raw.call(each, "wait", [str(each)])
        raw.peer.pause()
        for each in list(link.api.waiting):
            each.callback("x" * 50_000)
        link.advance(1)
        self.assertFalse(raw.peer.gone)
        (stream,) = link.server.streams.streams
        self.assertLess(stream.buffered, 150_000)
        raw.peer.resume()
        link.advance(10)
        self.assertEqual([id for id, _ in raw.results()], list(range(20)))


class Feeds(Case):
    """Iterators that are served without a coroutine."""

    def subscribed(self, credit: int | None = None) -> tuple[Link, Raw, Any]:
        link = self.serve(Feeding)
        raw = Raw(link)
        raw.notify("$/credit", {"items": credit})
        raw.call(1, "queued")
        self.assertEqual(raw.results(), [(1, 1)])
        return link, raw, link.api.queue

    def test_items(self) -> None:
        link, raw, queue = self.subscribed()
        queue.put(*range(1, 200))
        link.advance()
        self.assertEqual(items(raw.news), list(range(1, 200)))
        queue.put(5, ended=True)
        link.advance()
        self.assertEqual(items(raw.news), [5, ("end", None)])
        self.assertEqual(queue.closed, 1)

    def test_credit(self) -> None:
        link, raw, queue = self.subscribed(2)
        queue.put(1, 2, 3, 4)
        link.advance()
        self.assertEqual(items(raw.news), [1, 2])
        self.assertEqual(queue.items, [3, 4])
        raw.notify("$/credit", {"subscription": 1, "items": 5})
        self.assertEqual(items(raw.news), [3, 4])
        raw.notify("$/unsubscribe", {"subscription": 1})
        self.assertEqual((items(raw.news), queue.closed), ([("end", None)], 1))

    def test_errors(self) -> None:
        wrongs = ((ValueError("a secret"), -32603), ("text", -32603), (RpcError(7, "no"), 7))
        for wrong, code in wrongs:
            link, raw, queue = self.subscribed()
            queue.put(1, wrong)
            link.advance()
            self.assertEqual(items(raw.news), [1, ("end", code)])
        self.assertEqual(len(self.incidents()), 2)

    def test_lost(self) -> None:
        link, raw, queue = self.subscribed()
        raw.peer.reset()
        link.advance(1)
        self.assertEqual(queue.closed, 1)
        queue.put(1)


class Asking(Case):
    """The server calls its peer."""

    def test_peer_that_is_done(self) -> None:
        """Who has ended its side answers no more: a method that waits for it fails."""
        link = self.serve()
        raw = Raw(link)
        raw.call(1, "ask_back", [5])
        (asked,) = raw.news
        self.assertEqual((asked["method"], asked["params"]), ("double", [5]))
        raw.peer.half_close()
        link.advance(1)
        cancelled, answer = raw.news
        self.assertEqual(cancelled["method"], "$/cancelRequest")
        self.assertEqual(answer["error"]["code"], -32603)
        self.assertEqual(len(self.incidents()), 1)
        self.assertTrue(raw.peer.ended)

    def test_slow_and_full(self) -> None:
        """Credit that comes while the connection is full is used when it is not."""
        link = self.serve(limits=Limits(write_timeout=None))
        raw = Raw(link, faults=Faults(capacity=4096))
        raw.notify("$/credit", {"items": 1})
        raw.call(1, "countdown", [3])
        raw.call(2, "wait", ["a"])
        raw.peer.pause()
        link.api.waiting[0].callback("x" * 200_000)
        link.advance()
        raw.notify("$/credit", {"subscription": 1, "items": 10})
        raw.peer.resume()
        link.advance(5)
        self.assertEqual(items(raw.news), [3, 2, 1, ("end", None)])


class Factories(Case):
    def test_factory_for(self) -> None:
        api = Calculator()
        self.assertIsInstance(factory_for(Calculator), ApiFactory)
        factory: MessageFactory = factory_for(api)
        assert isinstance(factory, ApiFactory)
        self.assertIs(factory.api, api)

    def test_wrong(self) -> None:
        class Wanting(Api):
            def __init__(self, database: str) -> None: ...

            @method
            def add(self) -> None: ...

        for build, said in (
            (lambda: ApiFactory(Wanting), "give an object of it"),
            (lambda: ApiFactory(Calculator, codec="xml"), "xml"),
            (lambda: ApiFactory(Calculator, deadline=0), "deadline"),
            (lambda: factory_for(Api), "no subclass of"),
            (lambda: Link(codec="msgpack", framing=Line()), "lines cannot carry msgpack"),
        ):
            with self.assertRaisesRegex(ConfigurationError, said):
                build()
        ApiFactory(Wanting("x"))
