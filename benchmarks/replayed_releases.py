"""Bugs of releases on the meta path, replayed: each must be found in its release, and not in the mended one.

    python benchmarks/replayed_releases.py FOLDER [--only PACKAGE]

installs the releases into FOLDER with pip, each by itself and without torch, builds the small models of
``released_models.py`` on each, replays them as ``initaudit probe --replay`` does, and writes
``benchmarks/results/replayed_releases.csv``. Rows of packages that are not run stay. Models of no package are minimal
pairs after public reports. Needs torch, and for timm torchvision.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / "results" / "replayed_releases.csv"
RULES = ["INI103", "INI105", "INI106", "INI107", "INI110"]


class Case(NamedTuple):
    """A bug, and the releases with and without it."""

    bug: str
    package: str
    broken: str
    mended: str
    model: str
    parameter: str
    sound: str = ""  # the model that is mended, if that is not the release


HF = ("transformers", "4.53.3", "4.54.1")
CASES = (
    Case("timm#2662", "timm", "1.0.24", "1.0.25", "swin", "relative_position_index"),
    Case("tapas", "transformers", "5.3.0", "5.4.0", "tapas", "output_weights"),
    Case("B071", *HF, "align", "temperature"),
    Case("B072", *HF, "bros", "dummy_node"),
    Case("B073", *HF, "clap", "relative_position_bias_table"),
    Case("B074", *HF, "kosmos2", "latent_query"),
    Case("B075", *HF, "omdet_turbo", "text_projection"),
    Case("B076", *HF, "owlv2", "logit_scale"),
    Case("B077", *HF, "sam", "pos_embed"),
    Case("B078", *HF, "swiftformer", "w_g"),
    Case("B079", *HF, "tvp", "text_prompt"),
    Case("B080", *HF, "vits", "emb_rel_k"),
    Case("B081", *HF, "vits", "log_scale"),
    Case("B111", "", "", "", "lost_rotary", "inv_freq", "reset_rotary"),
    Case("router", "", "", "", "forgetful_mixture", "expert_bias", "whole_mixture"),
    Case("r03", "", "", "", "guarded_window", "index", "unguarded_window"),
    Case("r26", "transformers", "5.4.0", "5.4.0", "user_model_without_a_rule", "weight", "user_model_with_a_rule"),
)
WITHOUT_TORCH = {"timm": ("huggingface_hub", "safetensors", "pyyaml")}
"""What a package needs besides torch and torchvision, where its own list would fetch another torch."""


class Row(NamedTuple):
    bug: str
    package: str
    release: str
    state: str  # broken, or mended
    model: str
    parameter: str
    found: str  # the rules that report the parameter
    others: str  # what else is reported in the model
    said: str


def installed(package: str, release: str, folder: Path) -> Path | None:
    if not package:
        return None
    into = folder / f"{package}-{release}"
    if not into.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(into)]
        if package in WITHOUT_TORCH:
            subprocess.run([*pip, "--no-deps", f"{package}=={release}"], check=True)
            pip += WITHOUT_TORCH[package]
        else:
            pip += [f"{package}=={release}"]
        subprocess.run(pip, check=True)
    return into


def replay(models: list[str]) -> None:
    """Print the findings about each model, one line for each, and what was called or went wrong."""
    from initaudit.engine import judge
    from initaudit.finding import Place
    from initaudit.probe import Target
    from initaudit.probe.audit.audit import Audit
    from initaudit.probe.record.poison import control_build
    from initaudit.probe.target.resolve import Resolved
    from initaudit.rules import catalogue

    sys.path.insert(0, str(HERE))
    rules = [catalogue()[code] for code in RULES]
    for name in models:
        module, _, function = name.rpartition(":")
        try:
            make = getattr(imported(module or "released_models"), function)
            target = Target(spec=name, replay=True)
            audit = Audit(target, make, Place("released_models.py", 1, 1, 1, 2), control_build(make, target.seed))
            audit.compare()
            audit.replay(Resolved(target, make).build)
        except Exception as error:
            print(name, "error", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", sep="\t", flush=True)
            continue
        print(name, "said", " ".join((audit.replayed.said or "").split()), sep="\t")
        for reason, _ in audit.replayed.reasons:
            print(name, "error", " ".join(reason.split()), sep="\t")
        for one in judge(audit.observation(), rules):
            print(name, one.finding.code, one.finding.severity.value, one.finding.parameter, sep="\t", flush=True)


def imported(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def seen(models: list[str], path: Path | None) -> dict[str, list[list[str]]]:
    """Replay models in a process that has a release on its path; return the lines about each."""
    folders = [str(path)] if path is not None else []
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([*folders, str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, "--replay", *models]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr[-2000:])
    lines: dict[str, list[list[str]]] = {name: [] for name in models}
    for line in run.stdout.splitlines():
        name, *rest = line.split("\t")
        if name in lines:
            lines[name].append(rest)
    return lines


def released(case: Case, state: str) -> str:
    return case.broken if state == "broken" else case.mended


def model_of(case: Case, state: str) -> str:
    return case.model if state == "broken" else case.sound or case.model


def read(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return [Row(**line) for line in csv.DictReader(stream)]


def row(case: Case, state: str, lines: list[list[str]]) -> Row:
    loud = [line for line in lines if line[0] not in ("said", "error") and line[1] != "note"]
    here = {code for code, _, parameter in loud if parameter.rpartition(".")[2] == case.parameter}
    others = {f"{code} {parameter}" for code, _, parameter in loud if parameter.rpartition(".")[2] != case.parameter}
    said = "; ".join(line[1] for line in lines if line[0] in ("said", "error"))
    kept = (case.bug, case.package, released(case, state), state, model_of(case, state), case.parameter)
    return Row(*kept, " ".join(sorted(here)), "; ".join(sorted(others)), said)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", metavar="PACKAGE")
    arguments = parser.parse_args()
    rows = []
    cases = [case for case in CASES if arguments.only in (None, case.package)]
    releases = {(case.package, release) for case in cases for release in (case.broken, case.mended)}
    for package, release in sorted(releases):
        path = installed(package, release, arguments.folder)
        pairs = [(one, state) for one in cases for state in ("broken", "mended") if one.package == package]
        pairs = [(one, state) for one, state in pairs if release == released(one, state)]
        lines = seen(sorted({model_of(one, state) for one, state in pairs}), path)
        rows += [row(one, state, lines[model_of(one, state)]) for one, state in pairs]
    done = {one.package for one in rows}
    rows += [old for old in read(OUTPUT) if old.package not in done]
    rows.sort(key=lambda one: (one.bug, one.model, one.parameter, one.state))
    with OUTPUT.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)
    broken, mended = ([one for one in rows if one.state == state] for state in ("broken", "mended"))
    print(f"found in {sum(bool(one.found) for one in broken)} of {len(broken)} broken releases", end=", ")
    print(f"and in {sum(bool(one.found) for one in mended)} of {len(mended)} mended ones")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replay"]:
        replay(sys.argv[2:])
    else:
        main()
