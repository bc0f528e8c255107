"""Where in a TOML file a row and its key stand, so that an error can name the line: the standard parser does not tell.

Read line by line: what a text of several lines holds could be taken for a key, and would lead an error's reader astray,
never its sense.
"""

from __future__ import annotations

import re

_TABLE = re.compile(r"^\s*\[\[\s*(\w+)\s*\]\]")
_KEY = re.compile(r"""^\s*["']?([\w-]+)["']?\s*=\s*(?:["']([^"']*)["'])?""")
_ERROR = re.compile(r"^(\w+)(?:\[(\d+)\])?(?: ([^\s:]+))?: (.*)", re.DOTALL)
_STEP = re.compile(r"^([\w-]+)(?:\[\d+\])?: ")


def line_of(text: str, message: str) -> int | None:
    """The line that an error of a configuration speaks of: of its key, else of its row; None where it is not found.

    Errors are written as `sources[2] NAME: key: what`, with the number or the name alone, or as
    `configuration: key: what`.
    """
    found = _ERROR.match(message)
    if not found:
        return None
    table, number, name, rest = found.groups()
    if table == "configuration":
        return _top_level(text, rest)
    row = _row(text, table, int(number) if number else None, name)
    if row is None:
        return None
    begins, keys = row
    while step := _STEP.match(rest):
        if step[1] in keys:
            return keys[step[1]]
        rest = rest[step.end() :]
    return begins


def _row(text: str, table: str, number: int | None, name: str | None) -> tuple[int, dict[str, int]] | None:
    """The line on which a row begins, and that of each of its keys. Of two rows of one name it is the last."""
    rows: list[tuple[str, int, dict[str, int], str | None]] = []
    for at, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            rows.append((header[1], at, {}, None))
        elif rows and (key := _KEY.match(line)):
            kind, begins, keys, called = rows[-1]
            keys.setdefault(key[1], at)
            rows[-1] = kind, begins, keys, key[2] if key[1] == "name" and called is None else called
    of_table = [(begins, keys, called) for kind, begins, keys, called in rows if kind == table]
    if number is not None:
        return of_table[number][:2] if number < len(of_table) else None
    return next(((begins, keys) for begins, keys, called in reversed(of_table) if called == name), None)


def _top_level(text: str, rest: str) -> int | None:
    """The line of a key or a table that the file must not have."""
    step = _STEP.match(rest)
    if not step:
        return None
    wanted = re.compile(rf"^\s*(?:\[+\s*{re.escape(step[1])}[\s.\]]|{re.escape(step[1])}\s*=)")
    return next((at for at, line in enumerate(text.splitlines(), 1) if wanted.match(line)), None)
