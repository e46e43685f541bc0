"""Whether an answer of the probe depends on what fresh memory holds, or on the order of sets.

    python benchmarks/memory.py [MODEL ...] [--memories 0 85 170]

probes models of ``healthy.py`` in one process for each value of ``MALLOC_PERTURB_`` (by default all six), each with
another ``PYTHONHASHSEED``, and writes ``results/memory.csv``: a digest of the observations and findings, their size and
the number of findings, which have to be the same in each. A model whose library is not installed is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import msgspec
import torch
from forked import in_child
from healthy import MODELS, build, version
from reports import write

import initaudit
import initaudit.engine
import initaudit.probe.here

RESULTS = Path(__file__).parent / "results"
SECONDS = 240
MEMORIES = ("0", "1", "85", "128", "170", "254")
CHOSEN = (
    "vit", "decoder", "fsq", "unet_1d", "egnn", "linformer", "conformer", "siren", "dac", "encodec", "tcn",
    "mamba", "gcn", "schnet", "e3nn", "mamba_hf", "tfno", "nsf_zuko", "soft_moe", "itransformer", "mega",
    "liquid", "tabm", "en_transformer", "invertible", "state_space", "retentive", "esm", "leaky", "whisper",
    "vae", "denoiser",
)  # fmt: skip
"""Kinds of models: images, language, graphs, sound, flows, diffusion, state spaces, and three that hold raw memory."""


def digest(name: str) -> str:
    """Return a digest of the observations and findings of a model, probed here."""
    torch.manual_seed(0)
    report = initaudit.audit(lambda: build(name), inputs=MODELS[name][3](), isolated=True)
    told = msgspec.json.encode((report.findings, report.observations), enc_hook=repr)
    return f"{hashlib.sha256(told).hexdigest()[:16]} {len(told)} {len(report.findings)}"


def here(names: list[str]) -> None:
    """Print a digest of each model, each probed in a child of this process."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name in names:
        importlib.import_module(MODELS[name][1])  # here, so that a library is imported once
        outcome = in_child(name, digest, SECONDS)
        print(f"digest {name} {outcome.answer or f'failed: {outcome.error}'}", flush=True)


def elsewhere(names: list[str], memory: str, seed: str) -> dict[str, str]:
    """Return the digests of a process whose fresh memory is filled with a byte that depends on ``memory``."""
    ran = subprocess.run(
        [sys.executable, __file__, "--here", *names],
        env={**os.environ, "MALLOC_PERTURB_": memory, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split(" ", 2) for line in ran.stdout.splitlines() if line.startswith("digest ")]
    return {name: told for _, name, told in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--memories", nargs="+", default=MEMORIES)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULTS / "memory.csv")
    arguments = parser.parse_args()
    names = [name for name in arguments.models or CHOSEN if version(MODELS[name][0])]
    if arguments.here:
        here(names)
        return
    told = defaultdict(list)
    for seed, memory in enumerate(arguments.memories):
        for name, digested in elsewhere(names, memory, str(seed)).items():
            told[name].append(digested)
    rows = []
    for name in names:
        outcome = "same" if len(set(told[name])) == 1 else "differs"
        if len(told[name]) < len(arguments.memories) or any(one.startswith("failed") for one in told[name]):
            outcome = "not probed"
        rows.append(
            [name, f"{MODELS[name][0]} {version(MODELS[name][0])}", outcome, "; ".join(dict.fromkeys(told[name]))]
        )
    write(arguments.output, ("model", "library", "outcome", "digest"), rows)
    print(f"{sum(row[2] == 'same' for row in rows)} of {len(rows)} the same, MALLOC_PERTURB_ {arguments.memories}")


if __name__ == "__main__":
    main()
