"""What other tools say of bugs of initialization: those of `data/reproductions`, and an example of each rule.

    python benchmarks/comparison.py --torchfix BIN --ruff BIN --mlinter BIN --torch-audit PYTHON \
        --output benchmarks/results/comparison.csv

Every linter reads the same files with everything that it has turned on; ruff without the groups that are about layout,
names, types and documents. torch-audit and torchinfo look at the built models of `docs/models.py` instead, the former
at one step of training: PYTHON is an interpreter that has both. The column `about` is that of someone who has read what
was said: whether it is about what is wrong with the initialization. It survives the next run.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import initaudit
from initaudit.finding import Category
from initaudit.rules import catalogue

HERE = Path(__file__).parent
RUFF = ("check", "--isolated", "--preview", "--no-cache", "--output-format", "json-lines", "--select")
RUFF_GROUPS = "F,B,PL,E7,NPY,RUF,SIM,PIE,PERF,W,C4,A"
MODELS = {"Healthy": (32, 3, 32, 32), "Broken": (32, 96)}
STEP = """
import torch, torch_audit, models
torch.manual_seed(0)
model = models.{model}()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
with torch_audit.audit_dynamic(model, optimizer=optimizer, every_n_steps=1) as auditor:
    auditor.audit_static()
    auditor.audit_init()
    loss = torch.nn.functional.nll_loss(auditor.forward(torch.randn({size})), torch.arange(32) % 10)
    auditor.backward(loss)
    auditor.optimizer_step()
for one in auditor.finish(report=False).findings:
    print(one.rule_id)
"""
SUMMARY = "import models, torchinfo; print(torchinfo.summary(models.{model}()))"


class Said(NamedTuple):
    """What a tool says of one file, or of one model."""

    tool: str
    subject: str
    codes: str
    about: str = ""


def materials(folder: Path) -> list[Path]:
    """The files that are read."""
    for rule in catalogue().values():
        if rule.category is not Category.TOOL and rule.invalid:
            (folder / f"{rule.code}.py").write_text(rule.invalid[0].text(), encoding="utf-8")
    for source in (HERE / "data" / "reproductions").glob("*.py"):
        (folder / source.name).write_bytes(source.read_bytes())
    return sorted(folder.iterdir())


def ran(folder: Path, *command: str) -> str:
    """The output of a tool, whatever its exit code."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def linters(binaries: dict[str, str], folder: Path, files: list[Path]) -> Iterator[Said]:
    """What each linter says of each file; nothing of files of which it says nothing."""
    names = [file.name for file in files]
    report = initaudit.check(names, select=["ALL"], preview=True, isolated=True, jobs=1)
    found = {"initaudit": [(one.place.filename, one.code) for one in report.findings]}
    found["TorchFix"] = re.findall(
        r"^(\S+?):\d+:\d+: (\w+)", ran(folder, binaries["torchfix"], "--select=ALL", *names), re.M
    )
    lines = ran(folder, binaries["ruff"], *RUFF, RUFF_GROUPS, *names).splitlines()
    found["ruff"] = [(Path(one["filename"]).name, one["code"]) for one in map(json.loads, lines)]
    flags = ("--enable-all-trf-rules", "--no-cache", "--no-progress")
    found["mlinter"] = re.findall(r"^(\S+\.py):L?\d+: (TRF\d+)", ran(folder, binaries["mlinter"], *flags, *names), re.M)
    for tool, pairs in found.items():
        for name in names:
            if codes := sorted({code for where, code in pairs if where == name}):
                yield Said(tool, name, " ".join(codes))


def runners(python: str) -> Iterator[Said]:
    """What is said of models that are trained for a step."""
    for model, size in MODELS.items():
        out = ran(HERE.parent / "docs", python, "-c", STEP.format(model=model, size=size))
        yield Said("torch-audit", model, " ".join(sorted(set(re.findall(r"TA\d+", out)))))
        depth = re.search(r"Total params: [\d,]+", ran(HERE.parent / "docs", python, "-c", SUMMARY.format(model=model)))
        yield Said("torchinfo", model, depth[0] if depth else "")


def main() -> None:
    """Run every tool once."""
    parser = argparse.ArgumentParser(description=__doc__)
    for tool in ("torchfix", "ruff", "mlinter", "torch-audit"):
        parser.add_argument(f"--{tool}", required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    output, binaries = arguments.output.absolute(), vars(arguments)
    with tempfile.TemporaryDirectory() as folder:
        files = materials(Path(folder))
        os.chdir(folder)
        said = [*linters(binaries, Path(folder), files), *runners(binaries["torch_audit"])]
        os.chdir(HERE)
    judged = {}
    if output.exists():
        with output.open(encoding="utf-8", newline="") as file:
            judged = {(row["tool"], row["subject"], row["codes"]): row["about"] for row in csv.DictReader(file)}
    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Said._fields)
        writer.writerows(one._replace(about=judged.get(one[:3], "")) for one in said)
    print(f"{len(files)} files read")


if __name__ == "__main__":
    main()
