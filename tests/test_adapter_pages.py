"""The adapters' pages say what the adapters say; `python -m tests.adapter_pages` brings them up to date."""

from __future__ import annotations

from tests import adapter_pages


def test_each_adapter_has_its_page_and_no_page_is_left_over() -> None:
    wanted = adapter_pages.pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in adapter_pages.FOLDER.glob("*.md")}
    assert found == wanted


def test_the_reference_lists_every_adapter() -> None:
    text = adapter_pages.REFERENCE.read_text(encoding="utf-8")
    assert adapter_pages.reference(text) == text
