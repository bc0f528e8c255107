"""What providers' status feeds have in common: dated posts, text out of HTML, the items of an RSS feed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final

from incidents.formats import monitors, payload, xml_documents
from incidents.model import Area, Delivery, Event, Post, Severity, UnrecognisedError

POSTS: Final = 500
UNSAID_END: Final = timedelta(hours=24)
"""How long an incident counts whose feed takes it down without a word: nobody says that it is over."""
_HTML: Final = 200_000
_BLOCKS: Final = frozenset(
    ("p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote")
)
_SILENT: Final = frozenset(("script", "style"))
_LINES: Final = re.compile(r"[ \t\xa0]*\n\s*")
_SPACES: Final = re.compile(r"[ \t\xa0]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an RSS feed, as it was written."""

    title: str
    guid: str
    published: str | None
    description: str
    link: str | None
    categories: tuple[str, ...]


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's own signature
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def words_of(html: object) -> str | None:
    """The words of a piece of HTML, a line for each paragraph; what is not markup stays as it is, None for none."""
    said = payload.text_of(html, _HTML)
    if said is None:
        return None
    if "<" in said or "&" in said:
        words = _Words()
        try:
            words.feed(said)
            words.close()
        except (AssertionError, ValueError):  # a marked section that the parser does not know
            return payload.text_of(said)
        said = "".join(words.parts)
    return payload.text_of(_LINES.sub("\n", _SPACES.sub(" ", said)).strip())


def posts_of(updates: Iterable[object], at: Iterable[str], text: str, delivery: Delivery) -> tuple[Post, ...]:
    """The posts among JSON objects, the oldest first: the first member of `at` that says anything dates each.

    A post without words or without a time that can be read is left out.
    """
    found = []
    names = tuple(at)
    for _, update in zip(range(POSTS), map(payload.object_of, updates), strict=False):
        when, words = monitors.moment(monitors.first(update, *names), delivery), words_of(update.get(text))
        if when and words:
            found.append(Post(when, words))
    return in_order(found)


def in_order(posts: Iterable[Post]) -> tuple[Post, ...]:
    """Posts by their times, each once."""
    return tuple(sorted(set(posts), key=lambda post: (post.at, post.text)))


def with_posts(event: Event, posts: tuple[Post, ...], *, area: Area | None, name: str | None = None) -> Event:
    """The event with its posts, the newest of them as its text, and where it is."""
    return replace(event, posts=posts, text=posts[-1].text if posts else event.text, area=area, event=name)


def unsaid_end(event: Event, spoke_at: datetime) -> Event:
    """The event with an assumed end, `UNSAID_END` after its provider last spoke of it."""
    ends_at = monitors.shifted(max(spoke_at, event.starts_at or spoke_at), UNSAID_END)
    return replace(event, ends_at=ends_at, ends_assumed=True) if ends_at else event


def feed_items(body: bytes) -> list[Item]:
    """The items of an RSS 2.0 document. Raises UnrecognisedError for any other document."""
    root = xml_documents.parse(body)
    channels = xml_documents.children(root, "channel")
    if xml_documents.local(root) != "rss" or not channels:
        raise UnrecognisedError("not an RSS feed")
    return [_item(element) for element in xml_documents.children(channels[0], "item")]


def _item(element: Any) -> Item:  # noqa: ANN401 - an Element, whose module is not imported here
    def said(name: str) -> str:
        return payload.text_of(xml_documents.text(element, name), _HTML) or ""

    categories = (payload.title_of(one.text) for one in xml_documents.children(element, "category"))
    return Item(
        title=payload.title_of(said("title")) or "",
        guid=said("guid"),
        published=said("pubDate") or None,
        description=said("description"),
        link=said("link") or None,
        categories=tuple(word for word in categories if word),
    )


def severity_of(word: object, table: Mapping[str, Severity]) -> Severity:
    """The severity that a feed's own word means by its own table; unknown for any other."""
    return table.get(word.casefold(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN


def joined(names: Iterable[object], limit: int = 40) -> str | None:
    """Names as one text with commas, each once; beyond `limit` their number."""
    said = list(dict.fromkeys(word for name in names if (word := payload.title_of(name))))
    more = f" and {len(said) - limit} more" if len(said) > limit else ""
    return ", ".join(said[:limit]) + more or None


def dated(month_day: tuple[int, int, int, int], near: datetime) -> datetime | None:
    """A month, day, hour and minute in UTC in the year that puts it no more than two days after `near`."""
    month, day, hour, minute = month_day
    for year in (near.year + 1, near.year, near.year - 1):
        try:
            at = near.replace(year=year, month=month, day=day, hour=hour, minute=minute, second=0, microsecond=0)
        except ValueError:
            continue
        if at <= near + timedelta(days=2):
            return at
    return None
