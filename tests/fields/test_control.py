"""Cache-Control and targeted fields (RFC 9111, 5.2; RFC 9213; RFC 5861; RFC 8246)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import (
    INFINITE,
    INVALID,
    CacheControl,
    parse_cache_control,
    parse_dictionary,
    parse_targeted,
)

SECONDS = (
    *("max-age", "s-maxage", "min-fresh", "stale-while-revalidate", "stale-if-error", "max-stale"),
)
FLAGS = (
    *("no-store", "no-transform", "only-if-cached", "must-revalidate", "must-understand"),
    *("proxy-revalidate", "public", "immutable", "no-cache", "private"),
)
directive_like = st.lists(
    st.sampled_from(
        [*SECONDS, *FLAGS, *"=,\" \t'\\;:?1()", "=60", "=0", "-1", '="a, b"', "\xe9", "none", "Z"]
    )
).map("".join)


def attribute(name: str) -> str:
    return name.replace("-", "_")


class CacheControlField(SynchronousTestCase):
    """RFC 9111, 5.2."""

    def test_seconds(self) -> None:
        """Token and quoted form (5.2), leading zeros, any case."""
        for name in SECONDS:
            for text in (f"{name}=60", f'{name}="60"', f"{name.upper()}=0060", f"x, {name}=60 , y"):
                found = parse_cache_control(text)
                self.assertEqual(found, replace(CacheControl(), **{attribute(name): 60}), text)

    def test_flags(self) -> None:
        for name in FLAGS:
            for text in (name, name.upper(), f",, {name} ,", f"{name}, {name}"):
                found = parse_cache_control(text)
                self.assertEqual(found, replace(CacheControl(), **{attribute(name): True}), text)

    def test_flags_with_arguments(self) -> None:
        """None is allowed (5.2), and a mistake must not set free what was held back."""
        for name in ("no-store", "must-revalidate", "no-transform", "proxy-revalidate"):
            for text in (f"{name}=1", f'{name}="x"', f"{name}=", f"{name} = x"):
                found = parse_cache_control(text)
                self.assertTrue(getattr(found, attribute(name)), text)

    def test_immutable_with_argument(self) -> None:
        """RFC 8246, 2: arguments are ignored."""
        self.assertTrue(parse_cache_control("immutable=1").immutable)

    def test_overflow(self) -> None:
        """1.2.2."""
        for text in ("2147483648", "99999999999", "9" * 5000):
            self.assertEqual(parse_cache_control(f"max-age={text}").max_age, INFINITE)

    def test_invalid_seconds(self) -> None:
        """4.2.1: there, but invalid; never absent, never guessed."""
        for argument in (
            *("=", "=-1", "=1.0", "=60.5", "=a60", "=60a", "='60'", '=""', '="60', '=" 60"', ""),
            *(" =60", "= 60", "==60", "=60 60", "=\u0666"),
        ):
            for name in ("max-age", "s-maxage", "stale-if-error"):
                found = parse_cache_control(name + argument)
                self.assertEqual(getattr(found, attribute(name)), INVALID, name + argument)

    def test_max_stale_alone(self) -> None:
        """5.2.1.2: any age will do; but not for what is malformed."""
        self.assertEqual(parse_cache_control("max-stale").max_stale, INFINITE)
        for text in ("max-stale=", "max-stale=x", 'max-stale=""', "max-stale =1"):
            self.assertEqual(parse_cache_control(text).max_stale, INVALID, text)

    def test_first_counts(self) -> None:
        """4.2.1: the first occurrence, on one line or on several."""
        self.assertEqual(parse_cache_control("max-age=1800, max-age=1").max_age, 1800)
        self.assertEqual(parse_cache_control("max-age=1, max-age=1800").max_age, 1)
        self.assertEqual(parse_cache_control("max-age=x, max-age=1800").max_age, INVALID)

    def test_within_quotes(self) -> None:
        """What is said in an extension's argument is not a directive."""
        for text in ('e="max-age=3600", max-age=1', 'max-age=1, e="max-age=3600, no-store"'):
            self.assertEqual(parse_cache_control(text), CacheControl(max_age=1))

    def test_never_closed(self) -> None:
        """A quote that is never closed hides no directive."""
        self.assertTrue(parse_cache_control('e="x, no-store').no_store)

    def test_field_names(self) -> None:
        """5.2.2.4 and 5.2.2.7: both forms, names in lower case."""
        for name in ("no-cache", "private"):
            for text, found in (
                (f'{name}="Set-Cookie"', {"set-cookie"}),
                (f'{name}="a, B ,,c"', {"a", "b", "c"}),
                (f"{name}=Set-Cookie", {"set-cookie"}),
                (f'{name}="a", {name}="b"', {"a", "b"}),
            ):
                control = parse_cache_control(text)
                self.assertFalse(getattr(control, attribute(name)), text)
                self.assertEqual(getattr(control, f"{attribute(name)}_fields"), found, text)

    def test_malformed_field_names(self) -> None:
        """What is not understood means the whole response."""
        for name in ("no-cache", "private"):
            for text in ("=", '=""', '=" "', '=","', '="a b"', '="a', "=(a)", '=a"b"', ' ="a"'):
                control = parse_cache_control(name + text)
                self.assertTrue(getattr(control, attribute(name)), name + text)

    def test_with_and_without_names(self) -> None:
        """4.2.1: the more restrictive one."""
        for text in ('no-cache="a", no-cache', 'no-cache, no-cache="a"'):
            self.assertTrue(parse_cache_control(text).no_cache)

    def test_unknown(self) -> None:
        """5.2.3: ignored."""
        for text in ("", "foobar", "foo=bar, =, =1", "max-age2=1", "no store", "maxage=1"):
            self.assertEqual(parse_cache_control(text), CacheControl(), text)

    @given(directive_like)
    def test_any_text(self, text: str) -> None:
        """Nothing is raised; numbers are in their range."""
        found = parse_cache_control(text)
        for name in SECONDS:
            seconds = getattr(found, attribute(name))
            self.assertTrue(seconds is None or seconds == INVALID or 0 <= seconds <= INFINITE)

    @given(st.text())
    def test_really_any_text(self, text: str) -> None:
        parse_cache_control(text)
        parse_targeted(text)

    @given(st.lists(st.sampled_from(FLAGS), unique=True), st.permutations(["max-age=5", "x", '"']))
    def test_order(self, flags: list[str], others: list[str]) -> None:
        """What holds back is found wherever it stands."""
        for text in (", ".join([*others, *flags]), ", ".join([*flags, *others])):
            found = parse_cache_control(text)
            for flag in flags:
                self.assertTrue(getattr(found, attribute(flag)), text)


class TargetedField(SynchronousTestCase):
    """RFC 9213, 2.1 and 2.2."""

    def test_directives(self) -> None:
        self.assertEqual(
            parse_targeted('max-age=600, no-cache="a, B", private, must-revalidate;p=1, x=y'),
            CacheControl(
                max_age=600,
                no_cache_fields=frozenset({"a", "b"}),
                private=True,
                must_revalidate=True,
            ),
        )

    def test_ignored_when_empty_or_malformed(self) -> None:
        """As if the field were not there."""
        for value in (
            *("", " ", "max-age=10000, &&&&&", "max-age =100", "max-age= 100", "MaX-aGe=3600"),
            *("max-age=60,", "no-store;", "max-age='60'", "max-age=9999999999999999"),
        ):
            self.assertIsNone(parse_targeted(value), value)

    def test_not_empty(self) -> None:
        """3.1: an unknown directive makes a field that counts."""
        self.assertEqual(parse_targeted("none"), CacheControl())

    def test_wrong_types(self) -> None:
        """A value of another type is not coerced: it is invalid."""
        for value in ('max-age="60"', "max-age=60.0", "max-age=x", "max-age", "max-age=(60)"):
            self.assertEqual(parse_targeted(value), CacheControl(max_age=INVALID), value)
        self.assertEqual(parse_targeted("max-age=-1"), CacheControl(max_age=INVALID))
        for argument in ("a", "(a b)", "1", '""', ":YQ==:"):
            found = parse_targeted(f"no-cache={argument}")
            self.assertEqual(found, CacheControl(no_cache=True), argument)

    def test_false(self) -> None:
        """A directive that is false is not there."""
        self.assertEqual(parse_targeted("no-store=?0, max-age=1"), CacheControl(max_age=1))
        self.assertEqual(parse_targeted("max-age=?0"), CacheControl())

    def test_last_counts(self) -> None:
        """RFC 8941, 4.2.2: unlike in Cache-Control."""
        self.assertEqual(parse_targeted("max-age=1, max-age=2"), CacheControl(max_age=2))

    def test_overflow(self) -> None:
        self.assertEqual(parse_targeted("max-age=99999999999"), CacheControl(max_age=INFINITE))

    @given(directive_like)
    def test_any_text(self, text: str) -> None:
        """It counts exactly when it is a Dictionary that is not empty."""
        self.assertEqual(parse_targeted(text) is None, not parse_dictionary(text))
