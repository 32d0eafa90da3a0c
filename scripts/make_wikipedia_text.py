"""Running text of Wikipedia from one of its dumps: the text that a teacher labels for the shipped English tagger.

    python scripts/make_wikipedia_text.py enwiki-pages-articles.xml.bz2 wikipedia.txt

A dump is one of https://dumps.wikimedia.org, compressed or not; an excerpt of one, with some hundred articles, is among
the test data of the package gensim. Each line of the output is a paragraph of an article, without references, tables
and markup: --most of them. The text is under CC BY-SA. Needs mwparserfromhell (pip install mwparserfromhell).
"""

from __future__ import annotations

import argparse
import bz2
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

LEAST = 60  # characters of a paragraph; shorter ones are headings, captions and items
# Sections that list what is elsewhere, and what no reader takes for text: references, tables, files.
LISTS = re.compile(r"==\s*(?:See also|References|External links|Notes|Further reading|Bibliography)\s*==")
NO_TEXT = re.compile(
    r"(?s)<ref[^>/]*/>|<ref.*?</ref>|\{\|.*?\|\}|\[\[(?:File|Image):[^\[\]]*(?:\[\[[^\]]*\]\][^\[\]]*)*\]\]"
)


def articles(file: IO[bytes]) -> Iterator[str]:
    """The markup of each article of a dump; redirections and pages that are no articles are left out."""
    for _, page in ElementTree.iterparse(file):
        if page.tag.endswith("}page"):
            markup = page.findtext(".//{*}text") or ""
            if page.findtext(".//{*}ns") == "0" and not markup.lower().startswith("#redirect"):
                yield markup
            page.clear()


def paragraphs(markup: str) -> Iterator[str]:
    """The paragraphs of an article as plain text."""
    import mwparserfromhell

    plain = mwparserfromhell.parse(NO_TEXT.sub("", LISTS.split(markup)[0])).strip_code()
    for line in map(str.strip, plain.split("\n")):
        if len(line) >= LEAST and line[0] not in "|*{!;:=":
            yield line


def main() -> None:
    """Read a dump, write its paragraphs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--most", type=int, default=3000, help="paragraphs (3000)")
    args = parser.parse_args()
    with (bz2.open if args.dump.suffix == ".bz2" else open)(args.dump, "rb") as file:
        found = chain.from_iterable(map(paragraphs, articles(file)))
        args.output.write_text("".join(f"{one}\n" for one in islice(found, args.most)), encoding="utf-8")


if __name__ == "__main__":
    main()
