"""Models of a second set of libraries, and defects to plant in them, for ``healthy.py``: chosen before any probing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from batches import image, sequence, tokens
from torch import nn


class Last(nn.Module):
    """What a classifier reads of a sequence: its last state."""

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.body, self.fc = body, nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.body(x)
        states = found[0] if isinstance(found, tuple) else found
        return self.fc(states[:, -1])  # type: ignore[no-any-return]


def ranked(m: Any) -> nn.Module:
    features = [m.SparseFeature(f"x{i}", vocab_size=50, embed_dim=16) for i in range(8)]
    ranking = importlib.import_module("torch_rechub.models.ranking")
    return ranking.DeepFM(features, features, {"dims": [32, 16], "dropout": 0.0})  # type: ignore[no-any-return]


IMAGES = {"image_size": 32, "patch_size": 8, "dim": 64, "depth": 4, "num_classes": 10}

# distribution, module, what to build there, inputs
MODELS: dict[str, tuple[str, str, Callable[[Any], nn.Module], Callable[[], Any]]] = {
    "linear_attention": (
        "linear-attention-transformer",
        "linear_attention_transformer",
        lambda m: m.LinearAttentionTransformerLM(num_tokens=64, dim=64, heads=4, depth=3, max_seq_len=32),
        lambda: tokens(length=32),
    ),
    "res_mlp": ("res-mlp-pytorch", "res_mlp_pytorch", lambda m: m.ResMLP(**IMAGES), image),
    "glom": ("glom-pytorch", "glom_pytorch", lambda m: m.Glom(dim=32, levels=3, image_size=32, patch_size=8), image),
    "timesformer": (
        "timesformer-pytorch",
        "timesformer_pytorch",
        lambda m: m.TimeSformer(dim=32, image_size=16, patch_size=8, num_frames=4, num_classes=10, depth=3, heads=4),
        lambda: torch.randn(32, 4, 3, 16, 16),
    ),
    "uformer": (
        "uformer-pytorch",
        "uformer_pytorch",
        lambda m: m.Uformer(dim=16, stages=2, num_blocks=1, window_size=8, dim_head=8, heads=2, ff_mult=2),
        lambda: image(32),
    ),
    "segformer": (
        "segformer-pytorch",
        "segformer_pytorch",
        lambda m: m.Segformer(
            dims=(16, 32, 32, 64),
            heads=(1, 2, 2, 4),
            ff_expansion=(2, 2, 2, 2),
            num_layers=1,
            decoder_dim=32,
            num_classes=4,
        ),
        lambda: image(64),
    ),
    "itransformer": (
        "iTransformer",
        "iTransformer",
        lambda m: m.iTransformer(
            num_variates=8,
            lookback_len=32,
            dim=32,
            depth=3,
            heads=4,
            dim_head=8,
            pred_length=4,
            num_tokens_per_variate=1,
        ),
        lambda: torch.randn(32, 32, 8),
    ),
    "mega": (
        "Mega-pytorch",
        "mega_pytorch.mega_pytorch",
        lambda m: m.Mega(num_tokens=64, dim=32, depth=3, ema_heads=4, attn_dim_qk=16, attn_dim_value=32),
        tokens,
    ),
    "h_transformer": (
        "h-transformer-1d",
        "h_transformer_1d",
        lambda m: m.HTransformer1D(num_tokens=64, dim=64, depth=3, max_seq_len=32, heads=4, dim_head=16, block_size=8),
        lambda: tokens(length=32),
    ),
    "x_unet": (
        "x-unet",
        "x_unet",
        lambda m: m.XUnet(
            dim=16,
            channels=3,
            dim_mults=(1, 2),
            num_blocks_per_stage=(1, 1),
            num_self_attn_per_stage=(0, 1),
            nested_unet_depths=(2, 1),
        ),
        lambda: image(32),
    ),
    "gateloop": (
        "gateloop-transformer",
        "gateloop_transformer",
        lambda m: m.Transformer(num_tokens=64, dim=32, depth=3, use_gate_looped_attn=True),
        tokens,
    ),
    "min_gru": (
        "minGRU-pytorch",
        "minGRU_pytorch.minLM",
        lambda m: m.minLM(num_tokens=64, dim=64, depth=3),
        tokens,
    ),
    "liquid": (
        "ncps",
        "ncps.torch",
        lambda m: Last(m.CfC(16, 32, batch_first=True), 32, 5),
        lambda: sequence(16, 8),
    ),
    "resnet_cifar": (
        "pytorchcv",
        "pytorchcv.models.resnet_cifar",
        lambda m: m.resnet20_cifar10(),
        image,
    ),
    "resnest": ("resnest", "resnest.torch", lambda m: m.resnest50_fast_1s1x64d(num_classes=10), lambda: image(64)),
    "mixnet": ("geffnet", "geffnet", lambda m: m.mixnet_s(num_classes=10), lambda: image(64)),
    "tabm": (
        "tabm",
        "tabm",
        lambda m: m.TabM.make(n_num_features=16, d_out=3, n_blocks=3, d_block=64, k=8, dropout=0.0),
        lambda: torch.randn(64, 16),
    ),
    "point_transformer": (
        "point-transformer-pytorch",
        "point_transformer_pytorch",
        lambda m: m.PointTransformerLayer(dim=32, pos_mlp_hidden_dim=32, attn_mlp_hidden_mult=2),
        lambda: (sequence(32), torch.randn(32, 16, 3)),
    ),
    "en_transformer": (
        "En-transformer",
        "en_transformer",
        lambda m: m.EnTransformer(num_tokens=64, dim=32, depth=3, dim_head=32, heads=4, neighbors=0),
        lambda: (tokens(), torch.randn(32, 16, 3)),
    ),
    "deep_fm": (
        "torch-rechub",
        "torch_rechub.basic.features",
        ranked,
        lambda: {"x": {f"x{i}": torch.randint(0, 50, (64,)) for i in range(8)}},
    ),
    "bottleneck": (
        "bottleneck-transformer-pytorch",
        "bottleneck_transformer_pytorch",
        lambda m: m.BottleStack(dim=32, fmap_size=8, dim_out=64, num_layers=2, heads=2, dim_head=16, downsample=True),
        lambda: image(8, 32),
    ),
    "halonet": (
        "halonet-pytorch",
        "halonet_pytorch",
        lambda m: nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1),
            nn.ReLU(),
            m.HaloAttention(dim=32, block_size=8, halo_size=4, heads=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 10),
        ),
        lambda: image(16),
    ),
}


PLAN = {
    "linear_attention": ("sure", "copied"), "res_mlp": ("unit_normal", "forgotten"),
    "glom": ("infinite", "half_written"), "timesformer": ("all_zero", "sure"), "uformer": ("half_written", "infinite"),
    "segformer": ("sure", "forgotten"), "itransformer": ("copied", "all_zero"), "mega": ("sure", "forgotten"),
    "h_transformer": ("copied", "unit_normal"), "x_unet": ("infinite", "half_written"),
    "gateloop": ("all_zero", "sure"), "min_gru": ("copied", "unit_normal"), "liquid": ("sure", "forgotten"),
    "resnet_cifar": ("copied", "sure"), "resnest": ("sure", "half_written"), "mixnet": ("all_zero", "sure"),
    "tabm": ("faint", "biased"), "point_transformer": ("biased", "faint"), "en_transformer": ("copied", "infinite"),
    "deep_fm": ("biased", "half_written"), "bottleneck": ("forgotten", "biased"), "halonet": ("sure", "half_written"),
}  # fmt: skip
"""Two of each, by the names that ``healthy.py`` gives its defects."""
