"""Makes the pictures of this folder: pages of models in a browser, light and dark, wide and narrow.

    python docs/pictures.py

needs chromium, and is made for the typeface Inter (Debian: chromium, fonts-inter).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests" / "portrait"))

import chromium  # noqa: E402

FLAGS = (*chromium.FLAGS, "--hide-scrollbars", "--force-device-scale-factor=1.25")
INPUTS = {"Healthy": "32,3,32,32", "Broken": "32,96", "Mended": "32,96"}
LARGEST = 300_000


class Picture(NamedTuple):
    """A part of a page, from its top, in pixels of the style sheet."""

    name: str
    page: str
    width: int
    height: int
    dark: bool = False


PICTURES = (
    Picture("broken", "Broken", 1100, 1450),
    Picture("broken-dark", "Broken", 1100, 1450, dark=True),
    Picture("healthy", "Healthy", 1100, 1450),
    Picture("healthy-dark", "Healthy", 1100, 1450, dark=True),
    Picture("compared", "compared", 1100, 1180),
    Picture("compared-dark", "compared", 1100, 1180, dark=True),
    Picture("broken-narrow", "Broken", 500, 1500),
    Picture("healthy-narrow-dark", "Healthy", 500, 1500, dark=True),
)


def write_page(model: str, path: Path) -> None:
    """The page of a model, and its table. Memory that nobody wrote is filled, so that the picture is the same."""
    flags = ["--input-size", INPUTS[model], "--seeds", "5", "--exit-zero", "--quiet", "--output-format", "concise"]
    run("probe", f"models.py:{model}", *flags, "--html", str(path), "--table", str(path.with_suffix(".json")))


def run(*arguments: str, folder: Path = DOCS) -> None:
    """Run initaudit in a folder."""
    where = {**os.environ, "MALLOC_PERTURB_": "85", "PYTHONPATH": str(DOCS.parent)}
    command = [sys.executable, "-m", "initaudit", *arguments]
    subprocess.run(command, cwd=folder, env=where, check=True, stdout=subprocess.DEVNULL)


def take(picture: Picture, page: Path, browser: str) -> Path:
    """A picture of a page."""
    target = DOCS / "pictures" / f"{picture.name}.png"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={picture.width},{picture.height}"]
        flags += ["--force-dark-mode"] * picture.dark
        command = [browser, *flags, f"--screenshot={target}", page.as_uri()]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    return target


def main() -> None:
    """All of them."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("pictures are taken with chromium, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        pages = {model: Path(folder) / f"{model}.html" for model in INPUTS}
        for model, path in pages.items():
            write_page(model, path)
        pages["compared"] = Path(folder) / "compared.html"
        run("compare", "Broken.json", "Mended.json", "--html", "compared.html", "--exit-zero", folder=Path(folder))
        for picture in PICTURES:
            target = take(picture, pages[picture.page], browser)
            size = target.stat().st_size
            print(f"{target.relative_to(DOCS)}: {size:,} bytes{' - too large' if size > LARGEST else ''}")


if __name__ == "__main__":
    main()
