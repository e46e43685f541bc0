"""What the tables of ``healthy.py`` say in all: how many models are measured, accused and caught.

    python benchmarks/healthy_figures.py

reads ``results/healthy.csv`` and ``mutants.csv``, and exits with 1 if a figure is below what is wanted. It needs no
library and no torch.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
NAMES = """
vit simple_vit cait deepvit cct levit decoder encoder_rotary autoregressive performer perceiver reformer linformer
gmlp mlp_mixer tab_transformer unet_smp fpn_smp deeplab_smp unet_monai densenet_monai segresnet_monai swin_unetr_monai
gcn gat graph_sage gin gpt_neox mamba_hf convnext_hf nf_resnet resnetv2_timm regnet_timm mixer_timm efficientnet
eegnet tabnet ft_transformer linear_attention res_mlp timesformer segformer mega h_transformer gateloop min_gru liquid
resnet_cifar resnest mixnet tabm deep_fm halonet deep_fm_factors state_space xlstm retentive faces clips bert_lm
conv_mixer bert_encoder complex_net esm leaky spiking whisper nnunet experts resnet18 swin_tiny mobile squeeze video
deep_speech wav2letter rainbow vim recurrence inception_time xception boxes chest lit_gpt megabyte routing titans
block_recurrent pitch tagging yolo
"""
LOGITS = frozenset(NAMES.split())
"""Models whose output, or the loss that they return, is over classes or labels, by reading them."""
WANTED = {"models": 150, "libraries": 40, "false": 0.01, "losses": 0.6, "measured": 0.92, "caught": 0.88}


def rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def main() -> int:
    found, planted = rows("healthy.csv"), rows("mutants.csv")
    seen = {row["model"]: row["seen"] for row in found}
    libraries = {row["library"].split()[0] for row in found}
    measured = [name for name, said in seen.items() if "layers" in said]
    judged = [name for name in LOGITS & seen.keys() if seen[name].endswith("a loss")]
    silent = [row["model"] for row in found if "without a reason" in row["seen"]]
    silent += [row["model"] for row in found if "not measured" in row["seen"] and not row["not decided"]]
    findings = [row for row in found if row["code"]]
    wrong = {row["model"] for row in findings if not row["verdict"].startswith("right")}
    unread = [row["model"] for row in findings if not row["verdict"]]
    print(f"models: {len(seen)} of {len(libraries)} libraries")
    print(f"forward measured: {len(measured)} ({len(measured) / len(seen):.1%})")
    print(f"initial loss judged: {len(judged)} of {len(LOGITS & seen.keys())} that have logits")
    print(f"measures missing without a reason: {len(silent)} {' '.join(silent)}".rstrip())
    print(
        f"findings at warning or above: {len(findings)} in {len({row['model'] for row in findings})} models, all read"
    )
    print(f"models accused falsely: {len(wrong)} ({len(wrong) / len(seen):.1%}) {' '.join(sorted(wrong))}".rstrip())
    outcomes = Counter(row["outcome"] for row in planted)
    total = len(planted)
    print(f"defects: {total} in {len({row['model'] for row in planted})} models: {dict(outcomes)}")
    print(f"caught by a right rule at the right line: {outcomes['caught']} ({outcomes['caught'] / total:.1%})")
    enough = (
        len(seen) >= WANTED["models"] and len(libraries) >= WANTED["libraries"] and not silent and not unread,
        len(wrong) <= WANTED["false"] * len(seen) and len(measured) >= WANTED["measured"] * len(seen),
        len(judged) >= WANTED["losses"] * len(LOGITS & seen.keys()) and outcomes["caught"] >= WANTED["caught"] * total,
    )
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
