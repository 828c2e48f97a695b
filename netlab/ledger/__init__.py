"""The fate ledger: what became of every datagram, and captures that Wireshark opens.

>>> from netlab.ledger import open_recorder
>>> recorder = open_recorder(ledger="fates.jsonl", pcap="fates.pcapng")
>>> recorder.datagram("in", ("127.0.0.1", 4711), ("127.0.0.1", 8007), b"hello", "dropped: loss")
>>> recorder.close()
"""

from netlab.ledger.keylog import KeyLog, open_key_log
from netlab.ledger.pcapng import Direction
from netlab.ledger.recorder import Flow, Recorder, open_recorder

__all__ = ["Direction", "Flow", "KeyLog", "Recorder", "open_key_log", "open_recorder"]
