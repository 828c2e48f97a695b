from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.jsonrpc import (
    CODECS,
    JSON,
    MSGPACK,
    BadAnswer,
    Cancelled,
    Code,
    Complaint,
    Fault,
    NotificationCame,
    RequestCame,
    ResponseCame,
    RpcError,
    Session,
    SessionLimits,
)
from tests.api.jsonrpc.support import only

EXAMPLES: list[tuple[str, Any]] = [
    # https://www.jsonrpc.org/specification, section 7, in order.
    ('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
     {"jsonrpc": "2.0", "result": 19, "id": 1}),
    ('{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
     {"jsonrpc": "2.0", "result": -19, "id": 2}),
    (('{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42},'
     ' "id": 3}'), {"jsonrpc": "2.0", "result": 19, "id": 3}),
    (('{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23},'
     ' "id": 4}'), {"jsonrpc": "2.0", "result": 19, "id": 4}),
    ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
     {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}),
    ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
     {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}),
    ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
     {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None}),
    (('[\n  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},\n'
     '  {"jsonrpc": "2.0", "method"\n]'),
     {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}),
    ("[]", {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"},
            "id": None}),
    ("[1]", [{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"},
              "id": None}]),
    ("[1,2,3]", [{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"},
                  "id": None}] * 3),
    (('[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
     '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
     '{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
     '{"foo": "boo"},'
     '{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
     '{"jsonrpc": "2.0", "method": "get_data", "id": "9"}]'),
     [{"jsonrpc": "2.0", "result": 7, "id": "1"},
      {"jsonrpc": "2.0", "result": 19, "id": "2"},
      {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None},
      {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
      {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}]),
    (('[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
     '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]'), None),
]  # fmt: skip


def subtract(minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


METHODS: dict[str, Any] = {
    "subtract": subtract,
    "sum": lambda *numbers: sum(numbers),
    "get_data": lambda: ["hello", 5],
}


def serve(session: Session, data: bytes) -> list[bytes]:
    """Answers all requests in ``data`` with the methods of the specification's examples."""
    for event in session.receive(data):
        if not isinstance(event, RequestCame):
            continue
        method = METHODS.get(event.method)
        if method is None:
            title = "Method not found"
            session.reply_error(event, RpcError(Code.METHOD_NOT_FOUND, title))
            continue
        params = session.codec.decode(event.params or session.codec.encode([]))
        result = method(**params) if isinstance(params, dict) else method(*params)
        session.reply(event, result)
    return session.take()


def without_data(answer: Any) -> Any:
    """The answer without what netlab adds to errors: what may be behind them."""
    if isinstance(answer, list):
        return [without_data(each) for each in answer]
    if "error" in answer:
        answer["error"].pop("data", None)
    return answer


class Specification(SynchronousTestCase):
    def test_examples(self) -> None:
        for request, wanted in EXAMPLES:
            answers = serve(Session(), request.encode())
            if wanted is None:
                self.assertEqual(answers, [], request)
                continue
            (answer,) = map(json.loads, answers)
            answer = without_data(answer)
            if isinstance(wanted, list):
                key = json.dumps
                self.assertEqual(sorted(map(key, answer)), sorted(map(key, map(_sorted, wanted))))
            else:
                self.assertEqual(answer, wanted)

    def test_in_messagepack(self) -> None:
        for request, wanted in EXAMPLES:
            try:
                value = json.loads(request)
            except ValueError:
                continue
            answers = serve(Session(MSGPACK), MSGPACK.encode(value))
            self.assertEqual(len(answers), 0 if wanted is None else 1)


def _sorted(answer: dict[str, Any]) -> dict[str, Any]:
    """With the members in netlab's order."""
    return {name: answer[name] for name in ("jsonrpc", "id", "result", "error") if name in answer}


class Requests(SynchronousTestCase):
    def refused(self, data: bytes, **limits: int) -> Any:
        """The error that ``data`` is answered with, and its id."""
        session = Session(JSON, SessionLimits(**limits))
        fault = only(session.receive(data), Fault)
        self.assertTrue(fault.answered)
        (answer,) = session.take()
        decoded = json.loads(answer)
        self.assertEqual(decoded["error"]["code"], fault.error.code)
        return decoded["id"], decoded["error"]["code"], decoded["error"].get("data")

    def test_ids_come_back_exactly(self) -> None:
        ids = (b"1", b"-7", b'""', b'"a\\"b"', b"null", b"1.0", b"1.50", b"1e2", b"-0.0",
               b"12345678901234567890123", '"\N{SNOWMAN}"'.encode())  # fmt: skip
        for id in ids:
            session = Session()
            request = only(
                session.receive(b'{"jsonrpc":"2.0", "id": %b , "method":"x"}' % id), RequestCame
            )
            session.reply(request, None)
            self.assertEqual(session.take(), [b'{"jsonrpc":"2.0","id":' + id + b',"result":null}'])

    def test_ids_that_are_none(self) -> None:
        for id in (b"true", b"[]", b"{}", b"1e999", b"9" * 5000, b'"%b"' % (b"x" * 1001)):
            data = b'{"jsonrpc":"2.0","id":%b,"method":"x"}' % id
            self.assertEqual(self.refused(data)[:2], (None, Code.INVALID_REQUEST), id[:10])

    def test_id_is_known_although_the_rest_is_wrong(self) -> None:
        for rest in (
            b'"method":1',
            b'"method":"x","params":3',
            b'"method":"x","method":"y"',
            b'"x":1',
        ):
            data = b'{"jsonrpc":"2.0","id":"seven",%b}' % rest
            self.assertEqual(self.refused(data)[:2], ("seven", Code.INVALID_REQUEST))

    def test_members_twice(self) -> None:
        for params in (b'{"a":1,"a":2}', b'[{"a":1,"a":2}]', b'{"b":{"a":1,"\\u0061":2}}'):
            data = b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % params
            self.assertEqual(
                self.refused(data),
                (1, Code.INVALID_REQUEST, "the member 'a' is there twice"),
            )
        for fine in (b'{"a":{"b":":"},"b":[{"b":{}}]}', b'[":","\\":\\\\"]', b'{"a":":\\u003a"}'):
            data = b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % fine
            only(Session().receive(data), RequestCame)

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.text(alphabet=':"\\ax', max_size=4))),
        st.booleans(),
    )
    def test_members_at_a_glance(self, pairs: list[tuple[str, str]], escaped: bool) -> None:
        """What seems to be sound is: a colon in a text, escaped or not, hides no member."""
        texts = [(json.dumps(key), json.dumps(value)) for key, value in pairs]
        if escaped:
            texts = [(key, value.replace(":", "\\u003a")) for key, value in texts]
        data = "{" + ",".join(f"{key}:{value}" for key, value in texts) + "}"
        members = dict(pairs)
        if JSON.is_sound(data.encode(), len(members), 64):
            self.assertEqual(len(members), len(pairs))
        elif "\\" not in data:
            self.assertNotEqual(len(members), len(pairs))

    def test_bytes_that_are_no_json(self) -> None:
        for data in (
            *(b"", b"\xff", b'"\xff"', b"{", b"nul", b"\xef\xbb\xbf{}", b'{"a":1}{}', b"'a'"),
            *(b'{"jsonrpc":"2.0","id":1,"method":"x","params":[NaN]}', b"[Infinity]"),
            *(b'{"jsonrpc":"2.0","id":1,"method":"x","params":["\xff"]}', b'{"a":01}'),
        ):
            self.assertEqual(self.refused(data)[:2], (None, Code.PARSE_ERROR), data)

    def test_other_encodings(self) -> None:
        """What some libraries write unless told otherwise: the peer hears of it."""
        text = '{"jsonrpc":"2.0","id":1,"method":"x"}'
        for encoding, hint in (
            ("utf-8-sig", "a byte order mark is before the text: send UTF-8 without one"),
            ("utf-16-le", "this looks like UTF-16: send UTF-8"),
            ("utf-16-be", "this looks like UTF-16: send UTF-8"),
            ("utf-16", "text is not UTF-8"),
        ):
            self.assertEqual(self.refused(text.encode(encoding)), (None, Code.PARSE_ERROR, hint))

    def test_depth(self) -> None:
        def nested(depth: int) -> bytes:
            params = b"[" * depth + b"]" * depth
            return b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % params

        only(Session(JSON, SessionLimits(max_depth=8)).receive(nested(7)), RequestCame)
        for depth in (8, 50, 500, 100_000):
            id, code, data = self.refused(nested(depth), max_depth=8)
            self.assertEqual(
                (code, data), (Code.INVALID_REQUEST, "more than 8 arrays and objects in each other")
            )
            self.assertEqual(id, 1 if depth < 900 else None)
        objects = b'{"a":' * 60 + b"1" + b"}" * 60
        data = b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % objects
        self.assertEqual(self.refused(data, max_depth=60)[1], Code.INVALID_REQUEST)
        only(Session(JSON, SessionLimits(max_depth=61)).receive(data), RequestCame)

    def test_depth_in_messagepack(self) -> None:
        for depth, code in ((7, None), (8, -32600), (500, -32600), (100_000, -32600)):
            session = Session(MSGPACK, SessionLimits(max_depth=8))
            head = MSGPACK.request(b"\x01", MSGPACK.encode("x"), b"")
            (event,) = session.receive(head + b"\x91" * (depth - 1) + b"\x90")
            self.assertEqual(event.error.code if isinstance(event, Fault) else None, code)

    def test_params(self) -> None:
        for params in (b"1", b'"bar"', b"true"):
            data = b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % params
            self.assertEqual(self.refused(data)[:2], (1, Code.INVALID_REQUEST))
        null = b'{"jsonrpc":"2.0","id":1,"method":"x","params":null}'
        self.assertIsNone(only(Session().receive(null), RequestCame).params)
        spaces = b'{"jsonrpc":"2.0","id":1,"method":"x","params": \n [ 1 ] }'
        self.assertEqual(only(Session().receive(spaces), RequestCame).params, b"[ 1 ]")

    def test_same_id_in_flight(self) -> None:
        session = Session()
        message = b'{"jsonrpc":"2.0","id":1,"method":"x"}'
        first = only(session.receive(message), RequestCame)
        fault = only(session.receive(message), Fault)
        self.assertEqual(fault.error.code, Code.INVALID_REQUEST)
        session.reply(first, 0)
        only(session.receive(message), RequestCame)

    def test_null_ids_may_be_several(self) -> None:
        session = Session()
        message = b'{"jsonrpc":"2.0","id":null,"method":"x"}'
        requests = [only(session.receive(message), RequestCame) for _ in range(3)]
        self.assertEqual(session.serving, 3)
        for each in reversed(requests):
            session.reply(each, 0)
        self.assertEqual((session.serving, len(session.take())), (0, 3))

    def test_max_in_flight(self) -> None:
        session = Session(JSON, SessionLimits(max_in_flight=2))
        data = b"[%b]" % b",".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"x"}' % each for each in range(3)
        )
        *requests, fault = session.receive(data)
        assert isinstance(fault, Fault)
        self.assertEqual(fault.error.code, Code.TOO_MANY_REQUESTS)
        for each in requests:
            assert isinstance(each, RequestCame)
            self.assertEqual(session.take(), [])
            session.reply(each, each.id)
        (answer,) = session.take()
        self.assertEqual([each["id"] for each in json.loads(answer)], [2, 0, 1])

    def test_batch_too_long(self) -> None:
        self.assertEqual(self.refused(b"[1,2,3]", max_batch=2)[:2], (None, Code.INVALID_REQUEST))

    def test_cancellation(self) -> None:
        session = Session()
        for id in (b"1", b'"one"', b"1.5"):
            request = only(
                session.receive(b'{"jsonrpc":"2.0","id":%b,"method":"x"}' % id), RequestCame
            )
            cancel = b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%b}}' % id
            self.assertIs(only(session.receive(cancel), Cancelled).request, request)
            session.reply_error(request, RpcError(Code.REQUEST_CANCELLED, "cancelled"))
            self.assertEqual(session.receive(cancel), [])

    def test_notifications(self) -> None:
        session = Session()
        came = only(
            session.receive(b'{"jsonrpc":"2.0","method":"hello","params":[1]}'), NotificationCame
        )
        self.assertEqual((came.method, came.params), ("hello", b"[1]"))
        self.assertEqual(session.receive(b'{"jsonrpc":"2.0","method":"$/setTrace"}'), [])
        for params in (b"", b',"params":[]', b',"params":{"id":[]}'):
            fault = only(
                session.receive(b'{"jsonrpc":"2.0","method":"$/cancelRequest"%b}' % params), Fault
            )
            self.assertFalse(fault.answered)
        self.assertEqual(session.take(), [])


class Answers(SynchronousTestCase):
    def test_unknown_and_twice(self) -> None:
        session = Session()
        answer = b'{"jsonrpc":"2.0","id":1,"result":3}'
        self.assertFalse(only(session.receive(answer), Fault).answered)
        id = session.call("x")
        self.assertEqual(only(session.receive(answer), ResponseCame).id, id)
        self.assertFalse(only(session.receive(answer), Fault).answered)
        session.take()
        for other in (b'"1"', b"null", b"1.5", b"[]"):
            only(session.receive(b'{"jsonrpc":"2.0","id":%b,"result":3}' % other), Fault)
        self.assertEqual(session.take(), [])

    def test_answers_that_are_none(self) -> None:
        for rest in (
            *(
                b'"result":1,"error":{"code":1,"message":"x"}',
                b'"error":1',
                b'"error":{"code":"a"}',
            ),
            *(b'"jsonrpc":"1.0","result":1',),
        ):
            session = Session()
            session.call("x")
            session.take()
            came = only(session.receive(b'{"jsonrpc":"2.0","id":1,%b}' % rest), ResponseCame)
            self.assertIsInstance(came.error, BadAnswer)
            self.assertEqual((session.take(), session.calls), ([], 0))

    def test_complaint(self) -> None:
        error = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}'
        session = Session()
        complaint = only(session.receive(error), Complaint)
        self.assertEqual(complaint.error, RpcError(-32700, "Parse error"))
        self.assertEqual(session.take(), [])


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON_VALUES,
        "id": st.integers(0, 3) | JSON_VALUES,
        "method": st.sampled_from(
            ["x", "$/item", "$/end", "$/credit", "$/unsubscribe", "$/cancelRequest", "$/progress"]
        )
        | JSON_VALUES,
        "params": st.fixed_dictionaries(
            {},
            optional={
                "subscription": st.integers(0, 3) | JSON_VALUES,
                "items": st.integers(-1, 5) | JSON_VALUES,
                "id": st.integers(0, 3),
                "token": st.integers(0, 3),
                "value": JSON_VALUES,
                "dropped": st.integers(-(2**40), 2**40),
            },
        )
        | JSON_VALUES,
        "result": st.integers(0, 3) | JSON_VALUES,
        "error": st.fixed_dictionaries({"code": st.integers(-(2**40), 2**40), "message": st.text()})
        | JSON_VALUES,
    },
)
MESSAGES = MEMBERS | st.lists(MEMBERS, max_size=4)


class Hostile(SynchronousTestCase):
    """Whatever comes: replies and events, never an error, and no more of them than came in."""

    def feed(self, session: Session, messages: list[bytes]) -> None:
        session.call("a")
        session.subscribe("b", credit=1)
        session.take()
        for message in messages:
            for event in session.receive(message):
                if isinstance(event, RequestCame) and event.id == 1:
                    session.reply(event, 1)
            outgoing = session.take()
            self.assertLessEqual(len(outgoing), 1 + message.count(b"$/") + len(message))
            for each in outgoing:
                session.codec.decode(each)
        self.assertLessEqual(session.calls, 2)
        session.lost(BadAnswer("over"))
        self.assertEqual((session.serving, session.calls, session.subscriptions), (0, 0, 0))

    @given(st.sampled_from(sorted(CODECS)), st.lists(st.binary(max_size=60), max_size=4))
    def test_bytes(self, codec: str, messages: list[bytes]) -> None:
        self.feed(Session(CODECS[codec]), messages)

    @given(st.sampled_from(sorted(CODECS)), st.lists(MESSAGES, max_size=6))
    def test_messages(self, codec: str, messages: list[Any]) -> None:
        encode = CODECS[codec].encode
        self.feed(Session(CODECS[codec]), [encode(each) for each in messages])

    @given(MESSAGES, st.data())
    def test_damaged(self, message: Any, data: st.DataObject) -> None:
        for codec in CODECS.values():
            encoded = bytearray(codec.encode(message))
            place = data.draw(st.integers(0, len(encoded) - 1))
            encoded[place] = data.draw(st.integers(0, 255))
            self.feed(Session(codec), [bytes(encoded), bytes(encoded[:place])])
