"""Public reports of wrong initialization: which of their pairs are reported, and whether mended ones are left alone.

    python benchmarks/public_reports.py --output benchmarks/results/public_reports.csv

`data/reports.csv` lists threads, and what was found before anything was changed for them; `data/reports/wrong` and
`mended` hold a pair for each, written from what the thread says, the line that ends in `# wrong` being the one meant. A
wrong one counts as found when a finding at warning or above stands within two rows of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from reports import rows, write

DATA = Path(__file__).parent / "data"
NEAR = 2


def findings(file: Path, *flags: str) -> list[tuple[int, str]]:
    """The rows and codes of what is reported at warning or above, in a project of this file alone."""
    command = [sys.executable, "-m", "initaudit", "check", file.name, "--isolated", "--exit-zero", "--no-cache"]
    command += ["--quiet", "--output-format", "json", *flags]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file, folder)
        run = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
        )
    found = [each for each in json.loads(run.stdout) if each["severity"] != "note"]
    return [(each["location"]["row"], each["code"]) for each in found]


def meant(file: Path, *flags: str) -> str:
    """The codes of what is reported near the line that is meant, or "missed"."""
    lines = file.read_text(encoding="utf-8").splitlines()
    row = next(number for number, line in enumerate(lines, 1) if line.endswith("# wrong"))
    near = {code for at, code in findings(file, *flags) if abs(at - row) <= NEAR}
    return " ".join(sorted(near)) or "missed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    table = []
    for row in rows(DATA / "reports.csv"):
        wrong, mended = (next((DATA / "reports" / kind).glob(f"{row['id']}_*.py")) for kind in ("wrong", "mended"))
        silent = "yes" if not findings(mended, "--preview") else "no"
        table.append(
            {**row, "now": meant(wrong), "now_with_preview": meant(wrong, "--preview"), "mended_silent": silent}
        )
    write(output, table[0], (row.values() for row in table))
    for column in ("first", "first_with_preview", "now", "now_with_preview"):
        found = sum(row[column] != "missed" for row in table)
        print(f"{column}: {found} of {len(table)}")
    print(f"mended ones left alone: {sum(row['mended_silent'] == 'yes' for row in table)} of {len(table)}")


if __name__ == "__main__":
    main()
