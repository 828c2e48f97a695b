"""What a person types into a search box, as a query that SQLite's FTS5 understands.

Words are to be found all, in any order; words in quotes one after another. Nothing else
has a meaning: any text is a query, and none is an error.

Source: https://www.sqlite.org/fts5.html, section 3 (full-text query syntax).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from netlab.rfc.snippets import stem

LONGEST = 1000
"""The characters of a query that are looked at."""
MOST = 16
"""The words and phrases of a query that are looked for."""
UNSTEMMED = "qq"
"""What is put behind a person's name in the index: "Fielding" is not a form of "field"."""

_LONGEST_TERM = 100  # characters
_TERM = re.compile(r'"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+)')
_SPLIT = re.compile(r"[\W_]+")

_LITTLE = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it"),
        *("of", "on", "or", "that", "the", "this", "to", "with"),
    }
)

_COMMON = """
a above abstract access according acknowledgements additional address addresses all allow
allowed allows also although an and another any appear application applications apply
appropriate april are as associated at august author authors available avoid b base based
basic basis be because been before being below between bit bits both but by c called can
cannot carefully case cases category change changes code comments common community component
components consider considerations considered contact contain contained contains contents
control copyright corresponding could current currently d data date december define defined
defines definition describe described describes description details different discussed
discussion distribution do document documents does due during e each editor effect either
email end engineering ensure error even example examples except existing expected f february
feedback field fields first follow followed following follows for force form format found
from full function functions further future g general given group h has have how however
http i ieee iesg ietf if implement implementation implementations implemented important
improvements in include included includes including independent indicate indicates info
information informative initial instead intended interface internet interpreted into
introduction ip is issues it its itself j january july june just k key keywords known l
large last layer legal length less level levels license like limited list local long m made
makes many march may means mechanism mechanisms memo message messages might model more most
multiple must n name necessary need needed needs network networks new next no non normative
not note notice november number numbers o obtained occur october of official on once one
only operation operations optional or order org other others otherwise out over own p page
paragraph part particular path per phone please point possible present procedures process
processing product protocol protocols provide provided provides providing provisions public
publication published purpose purposes r rather receive received receiving recommended refer
reference references regarding related relating representation represents request requests
required requirement requirements requires reserved respect response result retained review
rfc rfcs rights rules s same scope second section sections security see send sending sent
separate september server service services set several shall should shown significant
similar simple since single size so some source space special specific specification
specifications specified specifies specify standard standardization standards state
statement states status still subject such suggestions support supported syntax system
systems t table task technology term terms text than that the their them then there
therefore these they this those three through thus time to track transport trust two type
types u under unless unlimited until up updates upon use used useful user users uses using v
value values various version very via w warranty was way we well were what when where
whether which while who will with within without work would x you your zero
"""
COMMON = frozenset(map(stem, _COMMON.split()))
"""What words begin with that about half of all RFCs have, or more: they tell nothing of a text."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query's terms, each one word or the words of a phrase, in small letters."""

    terms: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, each once."""
        return tuple(dict.fromkeys(word for term in self.terms for word in term))

    # Expressions of FTS5; with ``names``, persons' names are looked for, too.

    def every(self, *, names: bool = False) -> str:
        """The expression for all of the terms; empty without any."""
        return " AND ".join(_quoted(term, names) for term in self.terms)

    def any(self, *, names: bool = False) -> str:
        """The expression for one of the terms, or more; empty without any."""
        return " OR ".join(_quoted(term, names) for term in self.terms)

    def begun(self, *, names: bool = False) -> str:
        """The expression for all of the terms, the last one's last word as its beginning."""
        if not self.terms:
            return ""
        *whole, last = self.terms
        quoted = [_quoted(term, names) for term in whole]
        return " AND ".join([*quoted, f'"{" ".join(last)}"*'])

    def telling(self) -> Query:
        """The query without the terms that about every text has; it may be empty."""
        return Query(tuple(term for term in self.terms if not all(map(_is_common, term))))


def parse_query(text: str) -> Query:
    """The words and phrases of ``text``; what is not a letter or digit parts words.

    What was written without a blank, such as ``TCP/IP`` or ``HTTP/1.1``, is a phrase.
    Words like "the" and "of" count only where there are no others, and in phrases.
    """
    # Composed, as FTS5 knows no combining characters on their own.
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).lower()
    terms: list[tuple[str, ...]] = []
    for found in _TERM.finditer(plain):
        part = found["phrase"] if found["word"] is None else found["word"]
        words = tuple(filter(None, _SPLIT.split(part[:_LONGEST_TERM])))
        if words and words not in terms:
            terms.append(words)
    said = [term for term in terms if not (len(term) == 1 and term[0] in _LITTLE)]
    return Query(tuple((said or terms)[:MOST]))


def _quoted(term: tuple[str, ...], names: bool) -> str:
    plain = f'"{" ".join(term)}"'
    if not names:
        return plain
    return f'({plain} OR "{" ".join([word + UNSTEMMED for word in term])}")'


def _is_common(word: str) -> bool:
    return stem(word) in COMMON or (word.isdigit() and len(word) < 3)
