"""A rule's documentation in a browser: its page on the site, else a temporary HTML file."""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path

from initaudit.rules.base import AnyRule

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>body{{max-width:46rem;margin:2rem auto;padding:0 1rem;font:16px/1.6 system-ui,sans-serif}}
pre{{padding:.8rem;overflow-x:auto;background:#8882;border-radius:6px}}</style></head>
<body><h1>{title}</h1>
{body}</body></html>
"""


def address_of(rule: AnyRule) -> str:
    """Return the address of a rule's documentation; without a site, that of a new file."""
    if rule.url():
        return rule.url()
    path = Path(tempfile.mkdtemp(prefix="initaudit-")) / f"{rule.code}.html"
    path.write_text(page(rule), encoding="utf-8")
    return path.as_uri()


def page(rule: AnyRule) -> str:
    """Return the documentation as self-contained HTML."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).render(rule.documentation())
    return PAGE.format(title=escape(f"{rule.code} {rule.name}"), body=body)
