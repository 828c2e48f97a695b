"""What is wrong with a request."""

from __future__ import annotations

import copy
import pickle

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import RemoteProtocolError
from netlab.http import BodyIncomplete, BodyTimeout, BodyTooLong, RequestError


class Errors(SynchronousTestCase):
    def test_what_they_say(self) -> None:
        for error, status, text in (
            (RequestError(404, "no such document"), 404, "404: no such document"),
            (BodyTooLong(10), 413, "413: a body here may have 10 bytes"),
            (BodyTimeout(), 408, "408: the request's body came too slowly"),
            (BodyIncomplete(), 400, "400: the connection ended before the request's body did"),
        ):
            self.assertIsInstance(error, RemoteProtocolError)
            self.assertEqual((error.status, str(error), error.kind), (status, text, "bad_request"))
            for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
                self.assertIs(type(again), type(error))
                self.assertEqual((again.status, str(again)), (status, text))
