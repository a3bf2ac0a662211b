"""The policy for a page that brings its own style, such as the run's report: exactly that style by its hashes, and
nothing else that could act.
"""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser


class _Styles(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag == "style"
        self.attributes |= {value for name, value in attrs if name == "style" and value}

    def handle_endtag(self, tag: str) -> None:
        self._within = False

    def handle_data(self, data: str) -> None:
        if self._within:
            self.elements.add(data)


def policy_for(page: str) -> str:
    """Of a whole page as HTML: what Content-Security-Policy says, for the page alone or in a frame of ours."""
    found = _Styles()
    found.feed(page)
    found.close()
    elements = " ".join(_hashes(found.elements)) or "'none'"
    attributes = " ".join(("'unsafe-hashes'", *_hashes(found.attributes))) if found.attributes else "'none'"
    return (
        f"default-src 'none'; style-src-elem {elements}; style-src-attr {attributes}; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashes(styles: set[str]) -> list[str]:
    return [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in sorted(styles)]
