"""Print what the changelog says of a version; a release shows that, and there is none without it.

    python docs/release_notes.py v0.1.0

Exits with 2 and a sentence if the tag is not the version of the package, or if the changelog has no dated entry for it.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
HEADING = re.compile(r"^## (?P<version>\S+) - (?P<date>.+)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class NotReadyError(Exception):
    """A version that may not be released."""


def notes(tag: str, package: str, changelog: str) -> str:
    """Return the changelog's entry for a tag, given the version of the package. Raises NotReadyError."""
    version = tag.removeprefix("v")
    if version != package:
        raise NotReadyError(f"the tag is {tag}, but the package has version {package}")
    headings = list(HEADING.finditer(changelog))
    found = next((number for number, each in enumerate(headings) if each["version"] == version), None)
    if found is None:
        raise NotReadyError(f"CHANGELOG.md has no entry for {version}")
    heading = headings[found]
    if not DATE.fullmatch(heading["date"]):
        raise NotReadyError(f"CHANGELOG.md gives no date for {version}: it says {heading['date']!r}")
    end = headings[found + 1].start() if found + 1 < len(headings) else len(changelog)
    entry = changelog[heading.end() : end].strip()
    if not entry:
        raise NotReadyError(f"CHANGELOG.md says nothing about {version}")
    return f"{entry}\n"


def main() -> None:
    """Print the notes of the tag that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag")
    tag = parser.parse_args().tag
    version = VERSION.search((ROOT / "initaudit" / "version.py").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    try:
        sys.stdout.write(notes(tag, version[1] if version else "unknown", changelog))
    except NotReadyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
