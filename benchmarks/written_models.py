"""Models written from papers, probed as they are and with the mistakes that were planned for them.

    python benchmarks/written_models.py [MODEL ...]   writes results/written_models.csv

A mistake changes a line of a copy of the model's file. ``--forward`` only runs the models, so that the plan has no
mistakes of its own. The columns ``first`` and ``trained`` are kept: what the first run said, and what
``written_training.py`` measured.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import multiprocessing
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch
from written.plan import MISTAKES, MODELS, Mistake

import initaudit
import initaudit.engine  # what it loads late, it loads once
import initaudit.probe.here

HERE = Path(__file__).parent
TABLE = HERE / "results" / "written_models.csv"
COLUMNS = ("model", "mistake", "outcome", "found", "first", "trained")
SECONDS = 300


def source(model: str, mistake: Mistake | None) -> tuple[str, frozenset[int]]:
    """The text of a model's file, with the mistake, and the lines of it that may be reported."""
    text = (HERE / "written" / f"{MODELS[model][0]}.py").read_text(encoding="utf-8")
    if mistake is None:
        return text, frozenset()
    start = re.search(rf"^(class|def) {mistake.where}\b", text, re.MULTILINE).start()  # type: ignore[union-attr]
    after = re.search(r"^(class|def) ", text[start + 1 :], re.MULTILINE)
    end = start + 1 + after.start() if after else len(text)
    part = text[start:end]
    if part.count(mistake.sound) != 1:
        raise ValueError(f"{mistake.model} {mistake.name}: {part.count(mistake.sound)} places")
    place = part.index(mistake.sound)
    changed = part.replace(mistake.sound, mistake.wrong)
    if mistake.at:
        place, length = changed.index(mistake.at), len(mistake.at)
    else:
        length = len(mistake.wrong)
    first = text[:start].count("\n") + changed[:place].count("\n") + 1
    lines = range(first, first + changed[place : place + length].rstrip().count("\n") + 1)
    return text[:start] + changed + text[end:], frozenset(lines)


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def probed(model: str, mistake: Mistake | None, folder: Path) -> tuple[str, list[tuple[str, int, str]]]:
    """What was seen, and what is reported at warning or above: code, line and message."""
    text, _ = source(model, mistake)
    file = folder / f"{model.lower()}_{mistake.name if mistake else 'sound'}.py"
    file.write_text(text, encoding="utf-8")
    make = getattr(loaded(file), model)
    torch.manual_seed(0)
    report = initaudit.audit(make, inputs=MODELS[model][1](), isolated=True)
    found = [
        (one.code, one.place.row, one.message) for one in report.findings if one.severity.value != "note"
    ]  # fmt: skip
    signal = next((one.signal for one in report.observations), None)
    seen = "not measured" if signal is None else f"{len(signal.layers)} layers, {'a' if signal.losses else 'no'} loss"
    return seen, found


def apart(model: str, mistake: Mistake | None) -> tuple[str, list[tuple[str, int, str]]] | str:
    """The same in a process of its own; why there is nothing, if so."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                sender.send(probed(model, mistake, Path(folder)))
            except Exception as error:  # whatever a model raises
                sender.send(f"{type(error).__name__}: {error}".splitlines()[0])

    process = context.Process(target=work)
    process.start()
    answer = receiver.recv() if receiver.poll(SECONDS) else "took too long"
    process.kill()
    return answer


def row(model: str, mistake: Mistake | None) -> dict[str, str]:
    name = mistake.name if mistake else ""
    answer = apart(model, mistake)
    if isinstance(answer, str):
        return {"model": model, "mistake": name, "outcome": "failed", "found": answer}
    seen, found = answer
    told = "; ".join(f"{code} {line}" for code, line, _ in found)
    if mistake is None:
        messages = "; ".join(f"{code} {line}: {message}" for code, line, message in found)
        return {"model": model, "mistake": "", "outcome": "accused" if found else f"sound ({seen})", "found": messages}
    _, lines = source(model, mistake)
    expected = [one for one in found if one[0].startswith(tuple(mistake.codes.split()))]
    if any(line in lines for _, line, _ in expected):
        outcome = "caught"
    elif expected:
        outcome = "other line"
    elif any(line in lines for _, line, _ in found):
        outcome = "other rule"
    else:
        outcome = "missed"
    return {"model": model, "mistake": name, "outcome": outcome, "found": told}


def pairs(models: list[str]) -> Iterator[tuple[str, Mistake | None]]:
    for model in models:
        yield model, None
        yield from ((model, one) for one in MISTAKES if one.model == model)


def forward(models: list[str]) -> None:
    """Run every model and every mistake's file, so that a failure is none of the probe's."""
    with tempfile.TemporaryDirectory() as folder:
        for model, mistake in pairs(models):
            file = Path(folder) / f"{model.lower()}_{mistake.name if mistake else 'sound'}.py"
            text, lines = source(model, mistake)
            file.write_text(text, encoding="utf-8")
            inputs = MODELS[model][1]()
            getattr(loaded(file), model)()(*(inputs if isinstance(inputs, tuple) else (inputs,)))
            shown = [text.splitlines()[line - 1].strip() for line in sorted(lines)]
            print(model, mistake.name if mistake else "sound", *shown, sep=" | ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--mistake", help="one mistake only")
    parser.add_argument("--output", type=Path, default=TABLE)
    parser.add_argument("--forward", action="store_true", help="only run the models")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    models = arguments.models or list(MODELS)
    if arguments.forward:
        forward(models)
        return
    table = arguments.output
    known: dict[tuple[str, str], dict[str, str]] = {}
    if table.exists():
        with table.open(encoding="utf-8", newline="") as stream:
            known = {(one["model"], one["mistake"]): one for one in csv.DictReader(stream)}
    for model, mistake in pairs(models):
        if arguments.mistake and (mistake.name if mistake else "") != arguments.mistake:
            continue
        new = row(model, mistake)
        key = new["model"], new["mistake"]
        old = known.get(key, {})
        known[key] = {**new, "first": old.get("first") or new["outcome"], "trained": old.get("trained", "")}
        print(*known[key].values(), sep=" | ", flush=True)
        with table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(known.values())


if __name__ == "__main__":
    main()
