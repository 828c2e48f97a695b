"""The pages of an RFC server: values in, HTML out.

Every function returns a whole document, to be sent in UTF-8. The pages need no script,
and nothing from elsewhere: they work under ``CONTENT_SECURITY_POLICY``. The page that
shows a document's text is in ``netlab.rfc.reader``.

A page links to ``/`` (the front page), ``/search?q=...&start=...``, ``/library?start=...``
(what is at hand), ``netlab.rfc.style.STYLE_PATH``, and what ``Name.link`` says: ``/html/``
for reading, ``/info/`` for the information page, ``/rfc/`` for files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlencode

from netlab.rfc.entries import Entry
from netlab.rfc.errata import REJECTED, Erratum
from netlab.rfc.markup import Child, Markup, escape, join, tag
from netlab.rfc.names import Form, Name, Series
from netlab.rfc.results import Hit, Results
from netlab.rfc.style import STYLE_PATH

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The header field ``Content-Security-Policy`` that all pages are made for."""

_SIZES = {"narrow": 36, "middle": 52}  # columns, at most
_SHOWN = 8  # RFCs that the banner lists of each kind, at most
_FORMATS = {Form.TXT: "Plain text", Form.HTML: "HTML", Form.PDF: "PDF", Form.XML: "XML"}


def page(
    title: str, *content: Child, query: str = "", kind: str | None = None, search: bool = True
) -> str:
    """A whole document around ``content``; ``query`` is in the search box at its top."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="stylesheet", href=STYLE_PATH),
    )
    top = tag(
        "header",
        tag("a", "RFCs", href="/"),
        search_form(query) if search else None,
        class_="top",
    )
    body = tag(
        "body",
        tag("a", "Skip to the text", href="#main", class_="skip"),
        top,
        tag("main", *content, id="main", class_=kind),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def search_form(query: str = "") -> Markup:
    """The search box."""
    box = tag(
        "input",
        type="search",
        name="q",
        value=query,
        placeholder="a number, or words",
        aria_label="Search the RFCs",
        autocomplete="off",
        maxlength=1000,
    )
    return tag("form", box, tag("button", "Search", type="submit"), action="/search", role="search")


def front_page(known: int, at_hand: int, recent: Sequence[Entry] = (), no_index: str = "") -> str:
    """The front page; ``known`` and ``at_hand`` are numbers of documents, ``recent`` the latest.

    ``no_index`` is a sentence without its full stop: why no document is known, if that is so.
    """
    return page(
        "RFCs",
        tag(
            "div",
            tag("h1", "Find and read RFCs"),
            search_form(),
            tag("p", f"There is no index: {no_index}.", class_="banner old") if no_index else None,
            tag(
                "p",
                f"{known:,} documents are known, ",
                tag("a", f"{at_hand:,} are at hand", href="/library"),
                ". Ask for one by its name, such as 2324, RFC 793 or STD 62; or for words in"
                ' what they say, such as coffee or "happy eyeballs".',
                class_="soft",
            ),
            class_="welcome",
        ),
        tag("h2", "The latest") if recent else None,
        _entry_list(recent) if recent else None,
        search=False,
    )


def results_page(query: str, results: Results, limit: int, offset: int = 0) -> str:
    """What was found for ``query``: the part from ``offset`` on, ``limit`` of it at most."""
    if not results.hits:
        said = "Nothing was found." if query.strip() else "What are you looking for?"
        advice = "Try fewer words, or another form of them; a number such as 2324 opens that RFC."
        return page("Search", tag("h1", said), tag("p", advice, class_="soft"), query=query)
    first, last = offset + 1, offset + len(results.hits)
    shown = f"{first} to {last} of {results.total:,}" if results.total > 1 else "One document"
    none = None if results.every else "No document has all of these words; these have some."
    return page(
        f"{query.strip()[:80]} - search",
        tag("h1", "Found"),
        tag("p", none, class_="banner old") if none else None,
        tag("p", shown, class_="soft"),
        tag("ol", *map(_hit, results.hits), class_="results"),
        _pager("/search", {"q": query}, results.total, limit, offset),
        query=query,
    )


def library_page(entries: Sequence[Entry], total: int, limit: int, offset: int = 0) -> str:
    """The documents whose text is at hand: ``entries`` from ``offset`` on, of ``total``."""
    if not entries:
        said = "No document is at hand yet: each is kept here when it has been read once."
    else:
        said = f"{offset + 1:,} to {offset + len(entries):,} of {total:,}"
    return page(
        "At hand",
        tag("h1", "At hand"),
        tag("p", said, class_="soft"),
        _entry_list(entries) if entries else None,
        _pager("/library", {}, total, limit, offset),
    )


def series_page(name: Name, entries: Sequence[Entry]) -> str:
    """What a sub-series such as BCP 14 or STD 62 is made of."""
    what = {Series.BCP: "Best Current Practice", Series.STD: "Internet Standard"}
    many = f"{len(entries)} documents" if len(entries) != 1 else "one document"
    return page(
        str(name),
        tag("p", f"{what.get(name.series, 'For Your Information')}", class_="soft"),
        tag("h1", str(name)),
        tag("p", f"{name} is {many}:" if entries else f"{name} is no document at present."),
        _entry_list(entries) if entries else None,
    )


def error_page(status: int, title: str, message: str) -> str:
    """What went wrong, for a person."""
    return page(
        title,
        tag("p", f"Error {status}", class_="soft"),
        tag("h1", title),
        tag("p", message),
        tag("p", tag("a", "Search all RFCs", href="/"), class_="soft"),
    )


def info_page(
    entry: Entry,
    errata: Sequence[Erratum] = (),
    title: Callable[[int], str] = lambda number: "",
    *,
    at_hand: bool = False,
    current: Sequence[int] = (),
) -> str:
    """All that is known about a document, and its errata.

    ``title`` returns the title of another RFC, or an empty text, for those it speaks of;
    ``current`` are those that stand for it now.
    """
    written = [
        join(tag("dt", what), tag("dd", fact if isinstance(fact, str) else _names(fact)))
        for what, fact in facts(entry)
    ]
    relations = [
        _relation("Obsoletes", entry.obsoletes, title),
        _relation("Updates", entry.updates, title),
        _relation("Obsoleted by", entry.obsoleted_by, title),
        _relation("Updated by", entry.updated_by, title),
    ]
    return page(
        f"{entry.name}: {entry.title}",
        tag("p", str(entry.name), " ", tag("span", "at hand", class_="badge") if at_hand else None),
        tag("h1", entry.title),
        actions(entry, info=False),
        banner(entry, len(counted(errata)), current),
        *[tag("p", paragraph) for paragraph in entry.abstract.split("\n\n") if paragraph],
        tag("dl", *written) if written else None,
        *relations,
        _errata(errata),
    )


# -- parts of pages


def link(name: Name, text: Child = None, anchor: str = "", **attributes: str) -> Markup:
    """A link to a document, to a section of it if there is an ``anchor``."""
    href = f"{name.link}#{anchor}" if anchor else name.link
    return tag("a", str(name) if text is None else text, href=href, **attributes)


def status(text: str) -> str:
    """A status as it is read: ``Proposed Standard``."""
    return text.title() if text != "UNKNOWN" else ""


def counted(errata: Iterable[Erratum]) -> list[Erratum]:
    """The errata that were not rejected."""
    return [erratum for erratum in errata if erratum.status != REJECTED]


def banner(entry: Entry, errata: int = 0, current: Sequence[int] = ()) -> Markup | None:
    """What a reader must know: what is newer, and how many errata there are.

    ``current`` are the RFCs that stand for it now: see ``Index.successors``.
    """
    info = entry.name.to(Form.INFO)
    lines: list[Markup] = []
    if entry.obsoleted_by:
        lines.append(tag("p", "Obsoleted by ", _numbers(entry.obsoleted_by, info), "."))
        if current and tuple(current) != entry.obsoleted_by:
            lines.append(tag("p", "In force now: ", _numbers(current, info), "."))
    if entry.updated_by:
        lines.append(tag("p", "Updated by ", _numbers(entry.updated_by, info), "."))
    if errata:
        wrong = "One erratum was" if errata == 1 else f"{errata} errata were"
        lines.append(tag("p", link(info, f"{wrong} reported", "errata"), "."))
    if not lines:
        return None
    return tag("aside", *lines, class_="banner old" if entry.obsoleted_by else "banner")


def actions(entry: Entry, *, info: bool = True, contents: bool = False) -> Markup:
    """Links to the document in its formats, to its other page, and to the page's contents."""
    other = Form.INFO if info else Form.ANY
    items = [link(entry.name.to(other), "About this RFC" if info else "Read it here")]
    forms = [form for form in _FORMATS if form.value in entry.formats] or [Form.TXT]
    items += [link(entry.name.to(form), _FORMATS[form]) for form in forms]
    to_contents = tag("li", tag("a", "Contents", href="#contents"), class_="to-contents")
    return tag(
        "ul",
        to_contents if contents else None,
        *[tag("li", item) for item in items],
        class_="actions",
    )


def size(columns: int) -> str | None:
    """The class of a drawing of so many columns: a narrow one may be larger on a phone."""
    return next((name for name, most in _SIZES.items() if columns <= most), None)


def facts(entry: Entry) -> list[tuple[str, str | tuple[Name, ...]]]:
    """What is known of a document apart from its title, abstract and what it replaces.

    Each with its name; what is not known is not there.
    """
    first = entry.published_as if entry.published_as != entry.status else ""
    known: tuple[tuple[str, str | tuple[Name, ...]], ...] = (
        ("Authors", ", ".join(entry.authors)),
        ("Date", str(entry.date)),
        ("Status", status(entry.status)),
        ("First published as", status(first)),
        ("Part of", entry.is_also),
        ("See also", entry.see_also),
        ("Stream", entry.stream),
        ("Area", entry.area),
        ("Working group", entry.group),
        ("Pages", str(entry.pages or "")),
        ("Keywords", ", ".join(entry.keywords)),
        ("DOI", entry.doi),
        ("Draft", entry.draft),
    )
    return [(what, fact) for what, fact in known if fact]


def byline(entry: Entry, between: str = " \u00b7 ") -> str:
    """Authors, date and status of a document, in a line."""
    authors = ", ".join(entry.authors[:3]) + (" and others" if len(entry.authors) > 3 else "")
    return between.join(filter(None, (authors, str(entry.date), status(entry.status))))


def _names(names: Iterable[Name]) -> Markup | None:
    links = [link(name) for name in names]
    return join(*links, between=", ") if links else None


def _numbers(numbers: Sequence[int], more: Name | None = None) -> Markup:
    """Links to RFCs; with ``more``, not all of many, and one to where all are."""
    shown = numbers[:_SHOWN] if more else numbers
    links = [link(Name(Series.RFC, number)) for number in shown]
    if more and len(shown) < len(numbers):
        links.append(link(more, f"{len(numbers) - len(shown)} more"))
    return join(*links, between=", ")


def _relation(what: str, numbers: Sequence[int], title: Callable[[int], str]) -> Markup | None:
    if not numbers:
        return None
    items = [tag("li", link(Name(Series.RFC, number)), " ", title(number)) for number in numbers]
    return join(tag("h2", what), tag("ul", *items, class_="list"))


def _badges(entry: Entry, at_hand: bool = False) -> Markup:
    old = tag("span", "obsolete", class_="badge old") if entry.obsoleted_by else None
    return join(old, tag("span", "at hand", class_="badge") if at_hand else None, between=" ")


def _entry_list(entries: Iterable[Entry]) -> Markup:
    items = [
        tag(
            "li",
            link(entry.name, tag("strong", str(entry.name))),
            f" {entry.title} ",
            _badges(entry),
            tag("div", byline(entry), class_="soft"),
        )
        for entry in entries
    ]
    return tag("ul", *items, class_="list")


def _hit(hit: Hit) -> Markup:
    entry = hit.entry
    fragments = [
        tag("mark", part.text) if part.found else escape(part.text) for part in hit.snippet
    ]
    replaced = (
        tag("p", "Obsoleted by ", _numbers(entry.obsoleted_by)) if entry.obsoleted_by else None
    )
    return tag(
        "li",
        tag("h2", link(entry.name, f"{entry.name} {entry.title}".rstrip())),
        tag("div", byline(entry), " ", _badges(entry, hit.at_hand), replaced, class_="soft"),
        tag("p", *fragments) if fragments else None,
    )


def _pager(path: str, values: dict[str, str], total: int, limit: int, offset: int) -> Markup | None:
    def to(start: int, text: str) -> Markup:
        more = {**values, "start": str(start)} if start else values
        # A lone surrogate, from a broken request, has no form in a URL.
        query = urlencode(more, errors="replace")
        return tag("a", text, href=f"{path}?{query}" if query else path)

    before = to(max(offset - limit, 0), "\u2190 Before") if offset > 0 else tag("span")
    after = to(offset + limit, "Next \u2192") if offset + limit < total else tag("span")
    if offset <= 0 and offset + limit >= total:
        return None
    return tag("nav", before, after, class_="pager", aria_label="More of the list")


def _errata(errata: Sequence[Erratum]) -> Markup | None:
    if not errata:
        return None
    items = []
    for erratum in errata:
        facts = (f"Erratum {erratum.id}", erratum.kind, erratum.status, erratum.submitted)
        where = f"Section {erratum.section}" if erratum.section[:1].isdigit() else erratum.section
        items.append(
            tag(
                "section",
                tag("h3", where or "Anywhere"),
                tag("p", " \u00b7 ".join(filter(None, facts)), class_="soft"),
                *_quoted("It says", erratum.original),
                *_quoted("It should say", erratum.corrected),
                tag("p", "Notes", class_="soft") if erratum.notes else None,
                tag("p", erratum.notes, class_="notes") if erratum.notes else None,
                class_="erratum",
                id=f"erratum-{erratum.id}",
            )
        )
    return join(tag("h2", "Errata", id="errata"), *items)


def _quoted(what: str, text: str) -> list[Markup]:
    if not text:
        return []
    longest = max(map(len, text.expandtabs().split("\n")))
    return [tag("p", what, class_="soft"), tag("pre", "\n", text, class_=size(longest))]
