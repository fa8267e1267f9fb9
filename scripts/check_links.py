#!/usr/bin/env python3
"""Checks the links of the built manual: every relative one of a page of the book leads to a file, and to a place in it.

The references below api/ are checked as targets only: their own links are Doxygen's and rustdoc's business.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.places.add(value)


@cache
def read(path: Path) -> Page:
    return Page(path.read_text(errors="replace"))


def problem(page: Path, link: str) -> str | None:
    """What is wrong with a link, if it is one to a file."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "leads to no file"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in read(target).places:
        return "leads to no place in that page"
    return None


def main(root: Path) -> int:
    # print.html is all pages in one, with links as if from there; 404.html is for servers.
    pages = [page for page in sorted(root.glob("*.html")) if page.name not in ("print.html", "404.html", "toc.html")]
    checked, findings = 0, []
    for page in pages:
        for link in read(page).links:
            checked += 1
            if wrong := problem(page, link):
                findings.append(f"{page.name}: {link} {wrong}")
    if not checked:
        findings.append(f"no links in {root}: is that the manual?")
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"{len(pages)} pages, {checked} links, {len(findings)} broken")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
