"""The probe on small models of known architectures: no finding at warning or above, and every weight's scheme named.

    python benchmarks/probe_transformers.py

needs torch and transformers, and writes ``benchmarks/results/probe_transformers.md``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INPUTS = {
    "gpt2": (),
    "bert": (),
    "vit": ("--input-size", "2,3,32,32"),
    "llama": (),
    "t5": (),
    "transformer": ("--input-size", "5,2,32", "--input-size", "4,2,32"),
}


def probe(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The findings about a model of ``small_models.py``, and its parameters."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.json"
        command = ["probe", f"small_models.py:{name}", *INPUTS[name], "--isolated", "--output-format", "json"]
        run = subprocess.run(
            [sys.executable, "-m", "initaudit", *command, "--table", str(table)],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 2:
            raise SystemExit(run.stderr)
        return json.loads(run.stdout), json.loads(table.read_text())["models"][0]["parameters"]


def named(parameter: dict[str, Any]) -> bool:
    """Whether a scheme was recognised, and not just the last operator."""
    scheme = parameter.get("scheme")
    return scheme is not None and not scheme.startswith(("torch.", "Tensor."))


def main() -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    lines = ["# The probe on small models", "", f"`python benchmarks/probe_transformers.py` ({versions}).", ""]
    lines += ["| model | parameters | without a scheme | notes | warnings and errors |", "|---|---|---|---|---|"]
    tables: list[str] = []
    failed = False
    for name in INPUTS:
        findings, parameters = probe(name)
        unnamed = [one["path"] for one in parameters if one["kind"] == "parameter" and not named(one)]
        loud = [f"{one['code']} {one['parameter']}" for one in findings if one["severity"] != "note"]
        notes = len(findings) - len(loud)
        lines.append(f"| {name} | {len(parameters)} | {len(unnamed)} | {notes} | {', '.join(loud) or 'none'} |")
        failed = failed or bool(loud or unnamed)
        schemes: dict[str, list[str]] = {}
        for one in parameters:
            schemes.setdefault(str(one.get("scheme")), []).append(one["path"])
        tables += ["", f"## {name}", "", "| scheme | parameters | for example |", "|---|---|---|"]
        tables += [f"| {scheme} | {len(paths)} | `{paths[0]}` |" for scheme, paths in sorted(schemes.items())]
        tables += [f"- {one['severity']}: {one['code']} {one['message']}" for one in findings]
    text = "\n".join([*lines, *tables]) + "\n"
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "probe_transformers.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(failed)


if __name__ == "__main__":
    main()
