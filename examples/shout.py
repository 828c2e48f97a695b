"""Answers each message in capitals: a whole protocol in ten lines."""

from netlab import MessageProtocol


class Shout(MessageProtocol):
    """One connection. The framework cuts the messages out of the stream."""

    def message_received(self, message: bytes) -> bytes:
        """Returns the answer to ``message``."""
        return message.upper()
