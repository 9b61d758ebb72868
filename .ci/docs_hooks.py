"""Lets docstrings be reStructuredText where they need it: literal blocks after ``::``, and roles."""

from __future__ import annotations

import re


def on_page_content(html: str, **_: object) -> str:
    """Removes the marks that only reStructuredText needs."""
    html = re.sub(r":(?:func|class|meth|mod|attr|data|exc):(<code>)~?", r"\1", html)
    return html.replace("<p>::</p>\n", "").replace("::</p>", ":</p>")
