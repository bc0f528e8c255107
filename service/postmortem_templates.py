"""Templates of postmortems as files: those of a folder, each read when it is asked for, the broken ones named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from incidents import postmortem_revisions
from incidents.postmortem import SECTION_BOUND, TEMPLATE, Revision, accepted
from incidents.postmortem_templates import STANDARD, Template, TemplateError, read
from incidents.refusals import NotFoundError
from service.api.postmortems_api import etag, revision_fields
from service.asking import AskingError, act, answer, compute, fields_of
from service.keys import SETTINGS

USUAL = "standard"
"""What the built-in template is called."""
FILES_BOUND = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the folder: its template, or why it is none, with file and line."""

    name: str
    template: Template | None
    fault: str = ""


def listed(folder: Path | None) -> list[Found]:
    """The built-in template and those of the folder by name; a folder that cannot be read is a fault like a file's."""
    found = [Found(USUAL, STANDARD)]
    if folder is None:
        return found
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except OSError as error:
        return [*found, Found("", None, f"{folder}: {error.strerror or error}")]
    if len(paths) > FILES_BOUND:
        found.append(
            Found("", None, f"{folder}: more than {FILES_BOUND} templates; the first {FILES_BOUND} are offered")
        )
    return found + [_read(path) for path in paths[:FILES_BOUND]]


def _read(path: Path) -> Found:
    if not _NAME.fullmatch(path.stem) or path.stem == USUAL:
        what = (
            "is the built-in one's name" if path.stem == USUAL else "lower case letters, digits and dashes are expected"
        )
        return Found(path.stem, None, f"{path.name}: its name: {what}")
    try:
        with path.open("rb") as file:
            content = file.read(4 * SECTION_BOUND + 1)
        template = read(content.decode("utf-8-sig"), path.name)
        accepted({key: text for key, text in template.starters().items() if key != TEMPLATE}, template.keys)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Found(path.stem, None, f"{path.name}, line {line}: is not UTF-8")
    except OSError as error:
        return Found(path.stem, None, f"{path.name}: {error.strerror or error}")
    except TemplateError as error:
        return Found(path.stem, None, str(error))
    except ValueError as error:
        return Found(path.stem, None, f"{path.name}: {error}")
    return Found(path.stem, template)


def named(folder: Path | None, name: str) -> Template:
    """The template of this name. Raises NotFoundError with the names that are there, ValueError for a broken one.

    The name is only compared with those of the folder: it is never made into a path.
    """
    found = listed(folder)
    one = next((each for each in found if each.name == name and name), None)
    if one is None:
        names = ", ".join(each.name for each in found if each.template)
        raise NotFoundError(f"there is no template {name[:80]!r}; there are {names}")
    if one.template is None:
        raise ValueError(one.fault)
    return one.template


# --- the API --------------------------------------------------------------------------------------------------------


def fields(found: Found) -> dict[str, Any]:
    """A template as the API gives it."""
    parts = found.template.parts if found.template else ()
    return {
        "name": found.name,
        "title": found.template.title if found.template else None,
        "sections": [
            {"name": part.key, "title": part.title, "hint": part.hint, "audiences": ["internal", *part.audiences]}
            if part.is_own
            else {"name": part.key, "title": part.title, "hint": part.hint}
            for part in parts
        ],
        "fault": found.fault or None,
    }


async def get_templates(request: web.Request) -> web.Response:
    """Every template with its sections; the broken ones with their fault."""
    folder = request.app[SETTINGS].postmortem_templates
    found = await compute(request, lambda: listed(folder))
    return answer({"items": [fields(each) for each in found], "next": None})


async def begin_postmortem(request: web.Request) -> web.Response:
    """Begin a postmortem with a template; its words are those that the template gives."""
    given = await fields_of(request)
    name = given.get("template", USUAL)
    if set(given) - {"template"} or not isinstance(name, str):
        raise AskingError("the body: an object with the name of a template is expected")
    written = await begin(request, name)
    return answer(revision_fields(written), status=201, headers={"ETag": etag(written)})


async def begin(request: web.Request, name: str) -> Revision:
    """The first revision of the request's incident. Raises NotFoundError, ConflictError and AskingError."""
    folder, incident = request.app[SETTINGS].postmortem_templates, request.match_info["incident"]
    try:
        template = await compute(request, lambda: named(folder, name))
    except NotFoundError:
        raise
    except ValueError as error:
        raise AskingError(f"template: {error}") from None
    return await act(request, lambda acting: postmortem_revisions.begin(acting, incident, template), is_told=False)
