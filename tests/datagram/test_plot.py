"""The pictures of round-trip times."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram.pings import Fate, Packet
from netlab.datagram.plot import UNICODE_CHARACTERS, draw_svg, draw_text, time_axis, value_axis

SVG = "{http://www.w3.org/2000/svg}"


def packets(*fates: str | float) -> list[Packet]:
    """One a second: ``lost``, ``late``, ``waiting`` or the milliseconds it took."""
    made = []
    for number, fate in enumerate(fates):
        if isinstance(fate, str):
            rtt = 2.0 if fate == "late" else None
            made.append(Packet(number, 100.0 + number, Fate(fate), rtt))
        else:
            made.append(Packet(number, 100.0 + number, Fate.RECEIVED, fate / 1000))
    return made


PICTURE = [
    "       * RTT in ms, over seconds",
    "  40 +                    *",
    "     |",
    "     |",
    "  30 +",
    "     |",
    "     |",
    "  20 +       *",
    "     |",
    "  10 +*",
    "     |",
    "     |",
    "   0 +",
    "     ++------+-----+------+-----+------+",
    "      0      1     2      3     4      5",
    "late               L",
    "lost                            x      x",
]

PACKETS = st.lists(
    st.builds(
        Packet,
        st.integers(0, 10**9),
        st.floats(0, 1e6, allow_subnormal=False),
        st.sampled_from(Fate),
        st.none() | st.floats(0, 1e5, allow_subnormal=False),
        st.booleans(),
    ),
    max_size=15,
).map(lambda made: sorted(made, key=lambda each: each.sent_at))


class Axes(SynchronousTestCase):
    @given(st.lists(st.floats(0, 1e9, allow_subnormal=False), max_size=20))
    def test_values(self, values: list[float]) -> None:
        """All values are on the axis, and so are the marks; there are a few of these."""
        axis = value_axis(values)
        for each in (*values, *axis.ticks):
            self.assertTrue(-1e-6 <= axis.place(each) <= 1 + 1e-6, each)
        self.assertTrue(2 <= len(axis.ticks) <= 8, axis)
        labels = [axis.label(tick) for tick in axis.ticks]
        self.assertEqual(len(set(labels)), len(labels))

    def test_from_zero(self) -> None:
        self.assertEqual(value_axis([1.0, 9.0]).ticks, [0, 2, 4, 6, 8, 10])

    def test_close_together(self) -> None:
        """Small differences of long times can be seen."""
        axis = value_axis([100.0, 101.0])
        self.assertEqual(axis.label(axis.low), "100.0")
        self.assertLessEqual(axis.high, 101.2)

    def test_short(self) -> None:
        axis = value_axis([0.031, 0.048])
        self.assertEqual(axis.label(axis.ticks[0]), "0.030")

    def test_time(self) -> None:
        self.assertEqual([time_axis(19.8).label(each) for each in time_axis(19.8).ticks][-1], "15")
        self.assertEqual(time_axis(0).high, 1.0)


class Text(SynchronousTestCase):
    def test_picture(self) -> None:
        """The times go up, one packet is late and two are lost."""
        drawn = draw_text(packets(10, 20, "late", 40, "lost", "lost"), width=40, plain=True)
        self.assertEqual(drawn.splitlines(), PICTURE)

    @given(PACKETS, st.booleans(), st.sampled_from([80, 60]))
    def test_anything(self, made: list[Packet], plain: bool, width: int) -> None:
        drawn = draw_text(made, width=width, plain=plain)
        for line in drawn.splitlines():
            self.assertLessEqual(len(line), width)
            self.assertEqual(line, line.rstrip())
        if plain:
            self.assertTrue(drawn.isascii())
        else:
            strange = {each for each in drawn if not each.isascii()}
            self.assertLessEqual(strange, set(UNICODE_CHARACTERS))

    def test_none(self) -> None:
        self.assertIn("0.0", draw_text([]))

    def test_all_lost(self) -> None:
        drawn = draw_text(packets("lost", "lost"))
        self.assertTrue(drawn.endswith("×"), drawn)  # noqa: RUF001
        self.assertNotIn("late", drawn)

    def test_many_in_a_column(self) -> None:
        crowd = [Packet(number, 0.0, Fate.LOST) for number in range(3)]
        crowd += [Packet(number, 1.0, Fate.LOST) for number in range(12)]
        self.assertRegex(draw_text(crowd, plain=True), r"lost  3 +\+\Z")

    def test_corrupted(self) -> None:
        """They are not hidden by others in the same place."""
        crowd = packets(*[5.0] * 500)
        crowd[7].corrupted = True
        drawn = draw_text(crowd, plain=True)
        self.assertEqual(drawn.count("#"), 2)
        self.assertIn("# corrupted", drawn)
        self.assertNotIn("corrupted", draw_text(packets(5.0)))


class Drawing(SynchronousTestCase):
    def parse(
        self, made: list[Packet], title: str = "T", subtitle: str = ""
    ) -> ElementTree.Element:
        return ElementTree.fromstring(draw_svg(made, title=title, subtitle=subtitle))

    def marks(self, root: ElementTree.Element, kind: str) -> list[str | None]:
        """What the marks of that kind say when pointed at."""
        found = [each for each in root.iter() if each.get("class") == kind]
        return [each.findtext(f"{SVG}title") for each in found]

    def test_marks(self) -> None:
        made = packets(10, 20, "late", 40, "lost", "waiting")
        made[1].corrupted = True
        root = self.parse(made)
        self.assertEqual(self.marks(root, "dot"), ["seq=0: 10.000 ms", "seq=3: 40.000 ms"])
        self.assertEqual(self.marks(root, "corrupted"), ["seq=1: 20.000 ms", "corrupted"])
        self.assertEqual(self.marks(root, "late"), ["seq=2: late, 2000.000 ms"])
        self.assertEqual(self.marks(root, "lost"), ["seq=4: lost"])

    def test_words(self) -> None:
        root = self.parse(packets(10), title='a <b> & "c"', subtitle="1 < 2")
        self.assertEqual(root.findtext(f"{SVG}title"), 'a <b> & "c"')
        said = [each.text for each in root.iter(f"{SVG}text")]
        for each in ('a <b> & "c"', "1 < 2", "RTT, ms", "sent, s after the first packet"):
            self.assertIn(each, said)
        for each in ("late", "lost", "0", "10"):
            self.assertIn(each, said)

    def test_self_contained(self) -> None:
        """It is an image as well in a page that lets it load nothing; for light and dark."""
        drawn = draw_svg(packets(10), title="T")
        self.assertEqual(re.findall(r"https?://[^\"]*", drawn), ["http://www.w3.org/2000/svg"])
        self.assertNotRegex(drawn, r"url\(|@import|href|<script|<image")
        self.assertIn("@media (prefers-color-scheme: dark)", drawn)
        light, dark = drawn.split("@media", 1)
        for kind in ("dot", "corrupted", "late", "lost", "axis", "grid", "quiet", "paper"):
            self.assertIn(f".{kind} {{", light)
            self.assertIn(f".{kind} {{", dark)

    def test_crowded(self) -> None:
        """What would lie in the same place is drawn once: the file stays small."""
        crowd = [Packet(number, number / 1e6, Fate.RECEIVED, 0.01) for number in range(20_000)]
        self.assertLess(len(draw_svg(crowd, title="T")), 200_000)

    @given(PACKETS, st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"])))
    def test_anything(self, made: list[Packet], title: str) -> None:
        root = self.parse(made, title=title.replace("\ufffe", "").replace("\uffff", ""))
        for each in root.iter(f"{SVG}circle"):
            self.assertTrue(0 <= float(each.get("cx", "")) <= 800)
            self.assertTrue(0 <= float(each.get("cy", "")) <= 440)
