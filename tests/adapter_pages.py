"""The pages of `docs/adapters/`, made from the adapters: `python -m tests.adapter_pages` writes them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from incidents.adapters import Adapter, adapters, credit_line
from tests import sample_kinds

FOLDER = Path(__file__).parent.parent / "docs" / "adapters"
REFERENCE = FOLDER.parent / "reference.md"
PLACES = """\
`{url}` stands for the address of the source, such as `https://barograph.example/in/NAME`, and `{key}` for its key, made
with `barograph key create NAME`."""
ASKED = """\
A feed: Barograph asks for it, every {every} unless the source says `every`. Name the source in the configuration file;
`url` takes the place of the feed's own address, and `{{key}}` in an address stands for the source's secret."""
SHOWN = """\
## What the samples show

Each sender has payloads of our own making in `tests/payloads/`, written after its documented format, with what is read
in them beside it; a test compares the two. {whole} senders have samples of what began, of the same thing being over,
and of several at once; where a request of the sender speaks of one thing only, a second one stands for it in a body of
its own. {all} of these have the sender's own test message too, from which no alert is made.
"""
NAMED = {"firing": "it began", "resolved": "it is over", "several": "several", "test": "its own test"}
TABLE = "| adapter | reads |\n|---|---|\n"


def pages() -> dict[str, str]:
    """The text of each page by its file name, the index included."""
    found = {f"{adapter.name}.md": page(adapter) for adapter in adapters().values()}
    rows = [f"| [{a.title}]({a.name}.md) | `{a.name}` | {a.verifies} |" for a in by_title()]
    senders = [adapter for adapter in by_title() if adapter.kind == "webhook"]
    whole = [a.name for a in senders if sample_kinds.is_whole(a.name)]
    found["README.md"] = "\n".join(
        [
            "# Connect a sender",
            "",
            "One page for each format that can be read. `/sources/new` does the same with key and address filled in.",
            "",
            "| sender | adapter | verifies |",
            "|---|---|---|",
            *rows,
            "",
            SHOWN.format(whole=len(whole), all=len([name for name in whole if "test" in sample_kinds.shown(name)])),
            "| sender | it began | it is over | several | its own test |",
            "|---|---|---|---|---|",
            *(shown(a) for a in senders),
            "",
            "Why a sample is missing:",
            "",
            "| sender | sample | reason |",
            "|---|---|---|",
            *(
                f"| {a.title} | {NAMED[kind]} | {why} |"
                for a in senders
                for kind, why in sample_kinds.absent(a.name).items()
            ),
            "",
        ]
    )
    return found


def shown(adapter: Adapter) -> str:
    """A row of the table of samples: the sample that shows each kind."""
    found = sample_kinds.shown(adapter.name)
    stems = [f"`{found[kind]}`" if kind in found else "–" for kind in sample_kinds.KINDS]
    if found.get("several") == "second":
        stems[2] = "`second`, a body of its own"
    return f"| {adapter.title} | {' | '.join(stems)} |"


def by_title() -> list[Adapter]:
    """All adapters as a reader looks for them."""
    return sorted(adapters().values(), key=lambda a: a.title.lower())


def page(adapter: Adapter) -> str:
    """One adapter's page."""
    setup, families = adapter.setup or {}, ", ".join(adapter.reads)
    parts = [
        f"# {adapter.title}",
        f"Adapter `{adapter.name}`, version {adapter.version}. It reads {families} and verifies: {adapter.verifies}.",
        ASKED.format(every=spoken(adapter.every)) if adapter.every else PLACES,
    ]
    if adapter.credit:
        parts.append(f"Credit: {credit_line(adapter.credit)}, {adapter.credit.url}")
    if setup.get("one_of"):
        parts.append("One of these is enough.")
    for part in setup.get("snippets", ()):
        parts += [f"## {part['title']}", f"~~~{part.get('language', '')}\n{part['text'].rstrip()}\n~~~"]
        if part.get("note"):
            parts.append(part["note"])
    if setup.get("facts"):
        rows = "\n".join(f"| {name} | {what} |" for name, what in setup["facts"])
        parts += [f"## What {adapter.title} does", f"| | |\n|---|---|\n{rows}"]
    if adapter.credit:
        credit = adapter.credit
        parts.append(f"Credit, shown wherever its words or numbers are: {credit.text} ({credit.licence}), {credit.url}")
    return "\n\n".join(parts) + "\n"


def spoken(every: timedelta) -> str:
    """A length of time in words."""
    minutes = int(every.total_seconds() // 60)
    return "hour" if minutes == 60 else f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"


def table() -> str:
    """The rows of the reference's table of adapters."""
    rows = [f"| `{a.name}` | [{a.title}](adapters/{a.name}.md): {', '.join(a.reads)} |" for a in adapters().values()]
    return TABLE + "\n".join(rows) + "\n"


def reference(text: str) -> str:
    """The reference with its table of adapters as it should be."""
    head, _, tail = text.partition(TABLE)
    return head + table() + "\n" + tail.partition("\n\n")[2]


def write() -> None:
    """Write every page, and take away those of adapters that are no more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    REFERENCE.write_text(reference(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
