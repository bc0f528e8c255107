"""A stranger's bytes as a tree of XML: no document type, no entity of its own, of bounded size and depth.

Expat reads it with every declaration refused as soon as it stands there, so that nothing is expanded or fetched:
`defusedxml` does the same, but its last release is of 2021.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from incidents.model import UnrecognisedError

SIZE: Final = 16 * 1024 * 1024
DEPTH: Final = 100
ELEMENTS: Final = 500_000


def parse(body: bytes) -> Element:
    """The root element; names carry their namespace as `{address}name`.

    Raises UnrecognisedError, and nothing else: for what is not well-formed XML, for a document type declaration,
    for more than 16 MiB, 100 levels or 500,000 elements.
    """
    if not body.strip():
        raise UnrecognisedError("empty body")
    if len(body) > SIZE:
        raise UnrecognisedError("XML of more than 16 MiB")
    return _Reading().root(body)


class _Reading:
    def __init__(self) -> None:
        self._builder, self._depth, self._count = TreeBuilder(), 0, 0
        parser = self._parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data

    def root(self, body: bytes) -> Element:
        try:
            self._parser.Parse(body, True)
            return self._builder.close()
        except expat.ExpatError as error:
            raise UnrecognisedError(
                f"not XML: {expat.errors.messages[error.code]} at line {error.lineno}, column {error.offset}"
            ) from None
        except (LookupError, ValueError, AssertionError) as error:
            if isinstance(error, UnrecognisedError):
                raise
            raise UnrecognisedError(f"not XML: {str(error)[:100]}") from None

    def _refuse(self, *_: object) -> NoReturn:
        raise UnrecognisedError("XML with a document type declaration: refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth, self._count = self._depth + 1, self._count + 1
        if self._depth > DEPTH:
            raise UnrecognisedError(f"XML nested deeper than {DEPTH} levels")
        if self._count > ELEMENTS:
            raise UnrecognisedError(f"XML of more than {ELEMENTS:,} elements")
        self._builder.start(_tag(name), {_tag(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_tag(name))


def _tag(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> list[Element]:
    """The children of this local name, whatever their namespace."""
    return [child for child in element if local(child) == name]


def every(element: Element, name: str) -> list[Element]:
    """The element itself and all below it that have this local name, in the order of the document."""
    return [one for one in element.iter() if local(one) == name]


def text(element: Element, *path: str) -> str | None:
    """The text of the first descendant at this path of local names, trimmed; None where it is absent or blank."""
    for name in path:
        found = children(element, name)
        if not found:
            return None
        element = found[0]
    return (element.text or "").strip() or None
