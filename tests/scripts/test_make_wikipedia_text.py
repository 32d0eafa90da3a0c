"""scripts/make_wikipedia_text.py, on a dump of three pages."""

from __future__ import annotations

import bz2
import sys
from pathlib import Path

import pytest

import make_wikipedia_text

LONG = "The river flows from the hills near '''Oslo''' through [[Graz (city)|Graz]] to the sea, as all rivers do."
TABLE = f'{{| class="wikitable"\n| {LONG}\n|}}'
PAGES = {
    "River": ("0", f"{LONG}<ref>A book.</ref>\n\n* an item\n{TABLE}\n== Course ==\nShort.\n== See also ==\n{LONG}"),
    "Rivers": ("0", f"#REDIRECT [[River]]\n{LONG}"),
    "Talk:River": ("1", LONG),
}
PLAIN = "The river flows from the hills near Oslo through Graz to the sea, as all rivers do."


@pytest.mark.parametrize("packed", [False, True])
def test_the_paragraphs_of_articles_are_left(packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = "".join(
        f"<page><title>{title}</title><ns>{space}</ns><text>{markup.replace('<', '&lt;')}</text></page>"
        for title, (space, markup) in PAGES.items()
    )
    dump = f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">{pages}</mediawiki>'.encode()
    path, output = tmp_path / ("dump.xml.bz2" if packed else "dump.xml"), tmp_path / "text.txt"
    path.write_bytes(bz2.compress(dump) if packed else dump)
    monkeypatch.setattr(sys, "argv", ["make_wikipedia_text.py", str(path), str(output)])
    make_wikipedia_text.main()
    assert output.read_text(encoding="utf-8") == f"{PLAIN}\n"
