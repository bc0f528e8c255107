"""Every route that the application has, asked of its own router, so that none is forgotten."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from itertools import product
from urllib.parse import quote

from incidents.store import Store
from service.app import create_app
from service.settings import read


@cache
def routes() -> tuple[tuple[str, str], ...]:
    """Method and template of each, sorted; HEAD is that of its GET."""
    with tempfile.TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/routes.db")) as store:
        app = create_app(read({"data_dir": folder}, {}), store)
        found = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    return tuple(sorted((method, path) for method, path in found if method != "HEAD"))


def names_in(path: str) -> list[str]:
    """The names that a template has to be filled with."""
    return re.findall(r"\{(\w+)", path)


def filled(path: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The addresses of a template with each of these values in its place; KeyError for a name without any."""
    names = names_in(path)
    return [
        re.sub(r"\{(\w+)[^}]*\}", lambda m, chosen=chosen: quote(dict(zip(names, chosen, strict=True))[m[1]]), path)  # type: ignore[misc]  # bound at once
        for chosen in product(*(values[name] for name in names))
    ]
