"""A binary protocol: sensors report temperatures, the server answers with a summary.

Serve it, then report three readings of sensor 7:

    twistd -n netlab message --app thermometer:Station
    python thermometer.py tcp:localhost:8032 7 21.5 22.0 -300

A reading is 8 bytes, all numbers big-endian: the sensor (2 bytes, unsigned), the
time (4 bytes, unsigned, seconds since 1970) and the temperature (2 bytes, signed,
hundredths of a degree Celsius). The first byte of an answer says what follows:

    0    accepted: the count (4 bytes) and the mean (2 bytes) of this sensor's readings
    1    refused: why, as UTF-8 text; the connection goes on

What a message *means* is this program's business; where it begins and ends is not.
"""

from __future__ import annotations

import struct
import sys
import time
from dataclasses import dataclass

from netlab import MessageFactory, MessageProtocol, NetlabError
from netlab.blocking import connect

READING = struct.Struct("!HIh")
SUMMARY = struct.Struct("!BIh")
ACCEPTED = 0
REFUSED = 1
ABSOLUTE_ZERO = -27315
HOTTEST = 10000
"""What these sensors can measure, in hundredths of a degree."""


@dataclass
class History:
    """What is remembered of one sensor: a fixed size, however long the server runs."""

    count: int = 0
    total: int = 0
    last_time: int = 0


class Sensor(MessageProtocol):
    """One connection; several sensors may report over it."""

    factory: Station

    def message_received(self, message: bytes) -> bytes:
        """Takes one reading."""
        # The peer is not to be trusted: check everything, and say what is wrong.
        if len(message) != READING.size:
            return refused(f"a reading has {READING.size} bytes, not {len(message)}")
        sensor, when, temperature = READING.unpack(message)
        if not ABSOLUTE_ZERO <= temperature <= HOTTEST:
            return refused(f"{temperature / 100} degrees cannot be")
        history = self.factory.histories.setdefault(sensor, History())
        if when < history.last_time:
            return refused("older than the reading before: is the clock wrong?")
        history.count += 1
        history.total += temperature
        history.last_time = when
        return SUMMARY.pack(ACCEPTED, history.count, round(history.total / history.count))


class Station(MessageFactory):
    """The state that all connections share. A sensor may come back on another one."""

    protocol = Sensor

    def __init__(self) -> None:
        # At most 65536 of them: a sensor's number has 2 bytes.
        self.histories: dict[int, History] = {}


def refused(why: str) -> bytes:
    """The answer to a reading that is not accepted."""
    return bytes([REFUSED]) + why.encode()


def describe(answer: bytes) -> str:
    """An answer in words."""
    if answer[:1] == bytes([REFUSED]):
        return f"refused: {answer[1:].decode()}"
    _, count, mean = SUMMARY.unpack(answer)
    return f"accepted: {count} readings, mean {mean / 100:.2f}"


def main(endpoint: str, sensor: str, *temperatures: str) -> None:
    """The sensor's side: reports ``temperatures`` in degrees, prints the answers."""
    with connect(endpoint) as station:
        for each in temperatures:
            reading = READING.pack(int(sensor), int(time.time()), round(float(each) * 100))
            print(describe(station.request(reading)))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: python thermometer.py ENDPOINT SENSOR TEMPERATURE...")
    try:
        main(*sys.argv[1:])
    except (NetlabError, ValueError, struct.error) as error:
        sys.exit(f"thermometer: {error}")
