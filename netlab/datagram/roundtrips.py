"""The figures of round-trip times: as ``ping`` gives them, percentiles, and RFC 3550's jitter."""

from __future__ import annotations

import math
import random
from array import array

SAMPLE = 100_000
"""Times that percentiles are taken of: up to so many they are exact."""

_GAIN = 16  # RFC 3550, section 6.4.1


class RoundTrips:
    """Takes any number of times, in seconds, in constant memory.

    Without any, all figures are 0. ``jitter`` is the interarrival jitter of RFC
    3550, section 6.4.1: the mean difference between a time and the one before it,
    smoothed, in the order of arrival. Of more times than ``SAMPLE`` the
    percentiles are those of a random sample; ``seed`` makes it the same one again.
    """

    def __init__(self, seed: int = 0) -> None:
        self.count = 0
        self.minimum = 0.0
        self.maximum = 0.0
        self.mean = 0.0
        self.jitter = 0.0
        self._squares = 0.0  # of the distances from the mean
        self._last = 0.0
        self._sample: array[float] = array("d")
        self._random = random.Random(seed)

    def add(self, seconds: float) -> None:
        """One more time."""
        self.count += 1
        if self.count == 1:
            self.minimum = self.maximum = seconds
        else:
            self.minimum = min(self.minimum, seconds)
            self.maximum = max(self.maximum, seconds)
            # The reply's transit time less the packet's, which of a round trip is its time.
            self.jitter += (abs(seconds - self._last) - self.jitter) / _GAIN
        self._last = seconds
        # Welford's method: sums of squares would lose the digits that matter.
        distance = seconds - self.mean
        self.mean += distance / self.count
        self._squares += distance * (seconds - self.mean)
        if len(self._sample) < SAMPLE:
            self._sample.append(seconds)
        else:  # algorithm R: each of all times is as likely to be in the sample
            place = self._random.randrange(self.count)
            if place < SAMPLE:
                self._sample[place] = seconds

    @property
    def mdev(self) -> float:
        """The standard deviation, which ``ping`` calls so."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """The smallest time that ``percent`` of all times do not exceed (the nearest rank)."""
        if not self._sample:
            return 0.0
        rank = math.ceil(percent * len(self._sample) / 100)
        return sorted(self._sample)[max(rank, 1) - 1]
