"""Sound models of libraries that the zoo does not know, probed; and defects planted in them that were planned before.

    python benchmarks/healthy.py             writes results/healthy.csv: model, version, findings at warning or above
    python benchmarks/healthy.py --mutants   writes results/mutants.csv: which planted defects are found, and where

A library that is not installed is left out. Verdicts are a reader's, and stay while the finding does; so do the losses
of the column ``trained``, which ``healthy_training.py`` measures.
"""

from __future__ import annotations

import copy
import csv
import importlib
import importlib.metadata
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import healthy_fifth
import healthy_second
import healthy_third
import torch
from batches import graph, image, sequence, times, tokens
from torch import nn

import initaudit
import initaudit.engine  # what it loads late, it loads once
import initaudit.probe.here
from initaudit.timeline import SignalProfile

RESULTS = Path(__file__).parent / "results"
SECONDS = 240


SMALL_VIT = {"image_size": 32, "patch_size": 8, "num_classes": 10, "dim": 64, "depth": 4, "heads": 4, "mlp_dim": 128}
DOWN = ("DownBlock2D", "AttnDownBlock2D")
UP = ("AttnUpBlock2D", "UpBlock2D")

# distribution, module, what to build there, inputs
MODELS: dict[str, tuple[str, str, Callable[[Any], nn.Module], Callable[[], Any]]] = {
    "vit": ("vit-pytorch", "vit_pytorch", lambda m: m.ViT(**SMALL_VIT), image),
    "simple_vit": ("vit-pytorch", "vit_pytorch", lambda m: m.SimpleViT(**SMALL_VIT), image),
    "cait": (
        "vit-pytorch",
        "vit_pytorch.cait",
        lambda m: m.CaiT(**SMALL_VIT, cls_depth=2),
        image,
    ),
    "deepvit": ("vit-pytorch", "vit_pytorch.deepvit", lambda m: m.DeepViT(**SMALL_VIT), image),
    "cct": (
        "vit-pytorch",
        "vit_pytorch.cct",
        lambda m: m.CCT(
            img_size=32,
            embedding_dim=64,
            n_conv_layers=2,
            kernel_size=3,
            stride=1,
            padding=1,
            num_layers=3,
            num_heads=4,
            num_classes=10,
        ),
        image,
    ),
    "levit": (
        "vit-pytorch",
        "vit_pytorch.levit",
        lambda m: m.LeViT(image_size=64, num_classes=10, stages=2, dim=(32, 64), depth=2, heads=(2, 4), mlp_mult=2),
        lambda: image(64),
    ),
    "decoder": (
        "x-transformers",
        "x_transformers",
        lambda m: m.TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=m.Decoder(dim=64, depth=4, heads=4)),
        tokens,
    ),
    "encoder_rotary": (
        "x-transformers",
        "x_transformers",
        lambda m: m.TransformerWrapper(
            num_tokens=64,
            max_seq_len=32,
            attn_layers=m.Encoder(dim=64, depth=4, heads=4, rotary_pos_emb=True, ff_glu=True, use_rmsnorm=True),
        ),
        tokens,
    ),
    "autoregressive": (
        "x-transformers",
        "x_transformers",
        lambda m: m.AutoregressiveWrapper(
            m.TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=m.Decoder(dim=64, depth=2, heads=4))
        ),
        tokens,
    ),
    "continuous": (
        "x-transformers",
        "x_transformers",
        lambda m: m.ContinuousTransformerWrapper(
            dim_in=32, dim_out=8, max_seq_len=32, attn_layers=m.Encoder(dim=64, depth=3, heads=4)
        ),
        sequence,
    ),
    "vq": (
        "vector-quantize-pytorch",
        "vector_quantize_pytorch",
        lambda m: m.VectorQuantize(dim=32, codebook_size=64),
        sequence,
    ),
    "fsq": (
        "vector-quantize-pytorch",
        "vector_quantize_pytorch",
        lambda m: m.FSQ(levels=[8, 5, 5], dim=32),
        sequence,
    ),
    "residual_vq": (
        "vector-quantize-pytorch",
        "vector_quantize_pytorch",
        lambda m: m.ResidualVQ(dim=32, codebook_size=64, num_quantizers=3),
        sequence,
    ),
    "unet_ddpm": (
        "denoising-diffusion-pytorch",
        "denoising_diffusion_pytorch",
        lambda m: m.Unet(dim=16, dim_mults=(1, 2), flash_attn=False),
        lambda: (image(16), times()),
    ),
    "unet_1d": (
        "denoising-diffusion-pytorch",
        "denoising_diffusion_pytorch",
        lambda m: m.Unet1D(dim=16, dim_mults=(1, 2), channels=4),
        lambda: (torch.randn(32, 4, 32), times()),
    ),
    "gaussian_diffusion": (
        "denoising-diffusion-pytorch",
        "denoising_diffusion_pytorch",
        lambda m: m.GaussianDiffusion(m.Unet(dim=16, dim_mults=(1, 2), flash_attn=False), image_size=16, timesteps=50),
        lambda: torch.rand(32, 3, 16, 16),
    ),
    "egnn": (
        "egnn-pytorch",
        "egnn_pytorch",
        lambda m: m.EGNN(dim=32),
        lambda: (sequence(), torch.randn(32, 16, 3)),
    ),
    "egnn_network": (
        "egnn-pytorch",
        "egnn_pytorch",
        lambda m: m.EGNN_Network(num_tokens=21, num_positions=64, dim=32, depth=3, num_nearest_neighbors=8),
        lambda: (tokens(21), torch.randn(32, 16, 3)),
    ),
    "performer": (
        "performer-pytorch",
        "performer_pytorch",
        lambda m: m.PerformerLM(num_tokens=64, max_seq_len=32, dim=64, depth=3, heads=4),
        tokens,
    ),
    "perceiver": (
        "perceiver-pytorch",
        "perceiver_pytorch",
        lambda m: m.Perceiver(
            input_channels=3, num_freq_bands=4, max_freq=10.0, depth=3, num_latents=16, latent_dim=64, num_classes=10
        ),
        lambda: torch.randn(32, 16, 16, 3),
    ),
    "reformer": (
        "reformer-pytorch",
        "reformer_pytorch",
        lambda m: m.ReformerLM(num_tokens=64, dim=64, depth=2, max_seq_len=64, heads=4, bucket_size=8),
        lambda: tokens(64, 64),
    ),
    "linformer": (
        "linformer",
        "linformer",
        lambda m: m.LinformerLM(num_tokens=64, dim=64, seq_len=16, depth=3, heads=4, k=8),
        tokens,
    ),
    "nystromformer": (
        "nystrom-attention",
        "nystrom_attention",
        lambda m: m.Nystromformer(dim=64, dim_head=16, heads=4, depth=3, num_landmarks=8),
        lambda: sequence(64),
    ),
    "conformer": (
        "conformer",
        "conformer",
        lambda m: m.Conformer(dim=64, depth=3, dim_head=16, heads=4, ff_mult=2, conv_kernel_size=7),
        lambda: sequence(64),
    ),
    "gmlp": (
        "g-mlp-pytorch",
        "g_mlp_pytorch",
        lambda m: m.gMLP(num_tokens=64, dim=64, depth=4, seq_len=16),
        tokens,
    ),
    "mlp_mixer": (
        "mlp-mixer-pytorch",
        "mlp_mixer_pytorch",
        lambda m: m.MLPMixer(image_size=32, channels=3, patch_size=8, dim=64, depth=4, num_classes=10),
        image,
    ),
    "siren": (
        "siren-pytorch",
        "siren_pytorch",
        lambda m: m.SirenNet(dim_in=2, dim_hidden=64, dim_out=3, num_layers=5),
        lambda: torch.rand(256, 2) * 2 - 1,
    ),
    "tab_transformer": (
        "tab-transformer-pytorch",
        "tab_transformer_pytorch",
        lambda m: m.FTTransformer(
            categories=(10, 5, 6),
            num_continuous=8,
            dim=32,
            dim_out=2,
            depth=3,
            heads=4,
            attn_dropout=0.1,
            ff_dropout=0.1,
        ),
        lambda: (torch.randint(0, 5, (32, 3)), torch.randn(32, 8)),
    ),
    "dac": (
        "descript-audio-codec",
        "dac",
        lambda m: m.DAC(encoder_dim=16, encoder_rates=[2, 4], decoder_dim=64, decoder_rates=[4, 2], n_codebooks=2),
        lambda: torch.randn(32, 1, 512),
    ),
    "encodec": (
        "encodec",
        "encodec.modules",
        lambda m: nn.Sequential(
            m.SEANetEncoder(dimension=32, n_filters=8, ratios=[4, 2]),
            m.SEANetDecoder(dimension=32, n_filters=8, ratios=[4, 2]),
        ),
        lambda: torch.randn(32, 1, 256),
    ),
    "unet_smp": (
        "segmentation-models-pytorch",
        "segmentation_models_pytorch",
        lambda m: m.Unet("resnet18", encoder_weights=None, classes=4),
        lambda: image(64),
    ),
    "fpn_smp": (
        "segmentation-models-pytorch",
        "segmentation_models_pytorch",
        lambda m: m.FPN("resnet18", encoder_weights=None, classes=4),
        lambda: image(64),
    ),
    "deeplab_smp": (
        "segmentation-models-pytorch",
        "segmentation_models_pytorch",
        lambda m: m.DeepLabV3Plus("resnet18", encoder_weights=None, classes=4),
        lambda: image(64),
    ),
    "unet_monai": (
        "monai",
        "monai.networks.nets",
        lambda m: m.UNet(
            spatial_dims=2, in_channels=1, out_channels=3, channels=(8, 16, 32), strides=(2, 2), num_res_units=2
        ),
        lambda: image(32, 1),
    ),
    "densenet_monai": (
        "monai",
        "monai.networks.nets",
        lambda m: m.DenseNet(
            spatial_dims=2, in_channels=1, out_channels=3, init_features=16, growth_rate=8, block_config=(2, 4, 2)
        ),
        lambda: image(32, 1),
    ),
    "segresnet_monai": (
        "monai",
        "monai.networks.nets",
        lambda m: m.SegResNet(spatial_dims=2, init_filters=8, in_channels=1, out_channels=2),
        lambda: image(32, 1),
    ),
    "swin_unetr_monai": (
        "monai",
        "monai.networks.nets",
        lambda m: m.SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=2, depths=(1, 1, 1, 1)),
        lambda: image(64, 1),
    ),
    "autoencoder_monai": (
        "monai",
        "monai.networks.nets",
        lambda m: m.AutoEncoder(spatial_dims=2, in_channels=1, out_channels=1, channels=(8, 16, 32), strides=(2, 2, 2)),
        lambda: image(32, 1),
    ),
    "hardnet_kornia": ("kornia", "kornia.feature", lambda m: m.HardNet(pretrained=False), lambda: image(32, 1)),
    "vit_kornia": (
        "kornia",
        "kornia.models.vit",
        lambda m: m.VisionTransformer(image_size=32, patch_size=8, embed_dim=64, depth=3, num_heads=4),
        image,
    ),
    "tcn": (
        "pytorch-tcn",
        "pytorch_tcn",
        lambda m: m.TCN(num_inputs=8, num_channels=[16, 16, 16], kernel_size=3),
        lambda: torch.randn(32, 8, 32),
    ),
    "kan": ("pykan", "kan", lambda m: m.KAN(width=[4, 5, 1], auto_save=False), lambda: torch.rand(64, 4) * 2 - 1),
    "mamba": (
        "mambapy",
        "mambapy.mamba",
        lambda m: m.Mamba(m.MambaConfig(d_model=32, n_layers=3)),
        sequence,
    ),
    "gcn": (
        "torch_geometric",
        "torch_geometric.nn",
        lambda m: m.GCN(16, 32, num_layers=4, out_channels=7),
        graph,
    ),
    "gat": (
        "torch_geometric",
        "torch_geometric.nn",
        lambda m: m.GAT(16, 32, num_layers=3, out_channels=7),
        graph,
    ),
    "graph_sage": (
        "torch_geometric",
        "torch_geometric.nn",
        lambda m: m.GraphSAGE(16, 32, num_layers=3, out_channels=7),
        graph,
    ),
    "gin": (
        "torch_geometric",
        "torch_geometric.nn",
        lambda m: m.GIN(16, 32, num_layers=4, out_channels=7),
        graph,
    ),
    "schnet": (
        "torch_geometric",
        "torch_geometric.nn",
        lambda m: m.SchNet(
            hidden_channels=32, num_filters=32, num_interactions=3, cutoff=5.0, interaction_graph=Complete()
        ),
        lambda: (torch.randint(1, 9, (64,)), torch.randn(64, 3), torch.arange(8).repeat_interleave(8)),
    ),
    "e3nn": (
        "e3nn",
        "e3nn.o3",
        lambda m: nn.Sequential(m.Linear("16x0e + 4x1o", "16x0e + 4x1o"), m.Linear("16x0e + 4x1o", "8x0e")),
        lambda: torch.randn(32, 28),
    ),
    "e3nn_network": (
        "e3nn",
        "e3nn.nn",
        lambda m: m.FullyConnectedNet([16, 64, 64, 64, 8], torch.nn.functional.silu),
        lambda: torch.randn(64, 16),
    ),
    "unet_diffusers": (
        "diffusers",
        "diffusers",
        lambda m: m.UNet2DModel(
            sample_size=16,
            block_out_channels=(16, 32),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=8,
            down_block_types=DOWN,
            up_block_types=UP,
        ),
        lambda: (image(16), times()),
    ),
    "vae_diffusers": (
        "diffusers",
        "diffusers",
        lambda m: m.AutoencoderKL(
            block_out_channels=(16, 32),
            norm_num_groups=4,
            latent_channels=4,
            sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        image,
    ),
    "dit_diffusers": (
        "diffusers",
        "diffusers",
        lambda m: m.DiTTransformer2DModel(
            num_attention_heads=4, attention_head_dim=16, in_channels=4, num_layers=3, sample_size=8, norm_num_groups=4
        ),
        lambda: {
            "hidden_states": torch.randn(32, 4, 8, 8),
            "timestep": times(),
            "class_labels": torch.randint(0, 1000, (32,)),
        },
    ),
    "vq_diffusers": (
        "diffusers",
        "diffusers",
        lambda m: m.VQModel(block_out_channels=(16,), norm_num_groups=4, num_vq_embeddings=32, latent_channels=4),
        image,
    ),
    "gpt_neox": (
        "transformers",
        "transformers",
        lambda m: m.GPTNeoXForCausalLM(
            m.GPTNeoXConfig(
                num_hidden_layers=3, hidden_size=64, num_attention_heads=4, intermediate_size=128, vocab_size=64
            )
        ),
        tokens,
    ),
    "mamba_hf": (
        "transformers",
        "transformers",
        lambda m: m.MambaForCausalLM(m.MambaConfig(num_hidden_layers=3, hidden_size=32, vocab_size=64)),
        tokens,
    ),
    "convnext_hf": (
        "transformers",
        "transformers",
        lambda m: m.ConvNextForImageClassification(
            m.ConvNextConfig(hidden_sizes=[16, 32], depths=[2, 2], num_stages=2)
        ),
        image,
    ),
    "wav2vec2_hf": (
        "transformers",
        "transformers",
        lambda m: m.Wav2Vec2Model(
            m.Wav2Vec2Config(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                conv_dim=(16, 16),
                conv_stride=(5, 2),
                conv_kernel=(10, 3),
                num_conv_pos_embeddings=8,
                num_conv_pos_embedding_groups=2,
            )
        ),
        lambda: torch.randn(32, 800),
    ),
    "nf_resnet": (
        "timm",
        "timm",
        lambda m: m.create_model("nf_resnet26", num_classes=10),
        lambda: image(64),
    ),
    "resnetv2_timm": (
        "timm",
        "timm",
        lambda m: m.create_model("resnetv2_50x1_bit", num_classes=10),
        lambda: image(64),
    ),
    "regnet_timm": ("timm", "timm", lambda m: m.create_model("regnetx_002", num_classes=10), lambda: image(64)),
    "mixer_timm": (
        "timm",
        "timm",
        lambda m: m.create_model("mixer_s32_224", num_classes=10, img_size=64),
        lambda: image(64),
    ),
    "fno": (
        "neuraloperator",
        "neuralop.models",
        lambda m: m.FNO(n_modes=(8, 8), in_channels=1, out_channels=1, hidden_channels=16, n_layers=3),
        lambda: image(16, 1),
    ),
    "tfno": (
        "neuraloperator",
        "neuralop.models",
        lambda m: m.TFNO(n_modes=(8, 8), in_channels=1, out_channels=1, hidden_channels=16, n_layers=3, rank=0.3),
        lambda: image(16, 1),
    ),
    "efficientnet": (
        "efficientnet-pytorch",
        "efficientnet_pytorch",
        lambda m: m.EfficientNet.from_name("efficientnet-b0", num_classes=10),
        lambda: image(64),
    ),
    "eegnet": (
        "braindecode",
        "braindecode.models",
        lambda m: m.EEGNet(n_chans=8, n_outputs=4, n_times=256),
        lambda: torch.randn(32, 8, 256),
    ),
    "tabnet": (
        "pytorch-tabnet",
        "pytorch_tabnet.tab_network",
        lambda m: m.TabNet(16, 3, group_attention_matrix=torch.eye(16)),
        lambda: torch.randn(128, 16),
    ),
    "ft_transformer": (
        "rtdl-revisiting-models",
        "rtdl_revisiting_models",
        lambda m: m.ResNet(
            d_in=16, d_out=3, n_blocks=3, d_block=64, d_hidden=None, d_hidden_multiplier=2.0, dropout1=0.1, dropout2=0.0
        ),
        lambda: torch.randn(64, 16),
    ),
    "nsf_zuko": (
        "zuko",
        "zuko.flows",
        lambda m: Density(m.NSF(8, transforms=2, hidden_features=(64, 64))),
        lambda: torch.randn(64, 8),
    ),
    "maf_zuko": (
        "zuko",
        "zuko.flows",
        lambda m: Density(m.MAF(8, transforms=3, hidden_features=(64, 64))),
        lambda: torch.randn(64, 8),
    ),
    "slot_attention": (
        "slot-attention",
        "slot_attention",
        lambda m: m.SlotAttention(num_slots=4, dim=32),
        sequence,
    ),
    "soft_moe": (
        "soft-moe-pytorch",
        "soft_moe_pytorch",
        lambda m: m.SoftMoE(dim=32, seq_len=16, num_experts=4),
        sequence,
    ),
}


MODELS |= healthy_second.MODELS | healthy_third.MODELS | healthy_fifth.MODELS


class Density(nn.Module):
    """A flow, whose forward is the logarithm of its density."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: torch.Tensor) -> Any:
        return self.flow().log_prob(x)


class Complete(nn.Module):
    """Edges between all atoms of a molecule, and their lengths."""

    def forward(self, positions: torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        together = (batch[:, None] == batch[None]) & ~torch.eye(len(batch), dtype=torch.bool)
        edges = together.nonzero().t()
        return edges, (positions[edges[0]] - positions[edges[1]]).norm(dim=-1)


def build(name: str) -> nn.Module:
    _, module, make, _ = MODELS[name]
    return make(importlib.import_module(module))


def layers(model: nn.Module) -> list[Any]:
    """Layers with a matrix or a kernel, of any class, without the first and the last."""
    return weighted(model)[1:-1]


def weighted(model: nn.Module) -> list[Any]:
    """Modules with a weight that multiplies."""
    owners = [one for one in model.modules() if isinstance(getattr(one, "weight", None), torch.Tensor)]
    return [one for one in owners if one.weight.dim() > 1 and not isinstance(one, nn.Embedding)]


# The defects. Each is written as its author would write it, after the model is built.


def unit_normal(model: nn.Module) -> None:
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=30 / layer.weight[0].numel() ** 0.5)


def biased(model: nn.Module) -> None:
    for layer in layers(model):
        if layer.bias is not None:
            nn.init.constant_(layer.bias, -10.0)


def alike(model: nn.Module) -> None:
    hidden = layers(model)
    nn.init.constant_(hidden[len(hidden) // 2].weight, 0.02)


def all_zero(model: nn.Module) -> None:
    for layer in layers(model):
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def forgotten(model: nn.Module) -> None:
    hidden = layers(model)
    layer = hidden[len(hidden) // 2]
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape))


def half_written(model: nn.Module) -> None:
    hidden = layers(model)
    layer = hidden[len(hidden) // 2]
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape))
    nn.init.kaiming_normal_(layer.weight.data[: len(layer.weight) // 2])


def copied(model: nn.Module) -> None:
    many = [one for one in model.modules() if isinstance(one, nn.ModuleList | nn.Sequential) and len(one) > 1]
    blocks = next(one for one in many if type(one[0]) is type(one[1]) and any(True for _ in one[0].parameters()))
    for index in range(1, len(blocks)):
        blocks[index] = copy.deepcopy(blocks[0])


def infinite(model: nn.Module) -> None:
    hidden = layers(model)
    with torch.no_grad():
        hidden[0].weight.div_(0.0)


def sure(model: nn.Module) -> None:
    last = weighted(model)[-1]
    nn.init.normal_(last.weight, std=50 / last.weight[0].numel() ** 0.5)


def faint(model: nn.Module) -> None:
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=1e-4)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


EXPECTED = {
    unit_normal: ("INI702", "INI705", "INI4", "INI207"),
    biased: ("INI701", "INI704", "INI702"),
    alike: ("INI501",),
    all_zero: ("INI502", "INI501"),
    forgotten: ("INI101",),
    half_written: ("INI102",),
    copied: ("INI503",),
    infinite: ("INI601", "INI602", "INI702"),
    sure: ("INI705", "INI702"),
    faint: ("INI701", "INI703", "INI207"),
}
PLAN = {
    "vit": (all_zero, copied), "cct": (alike, forgotten), "decoder": (copied, sure), "continuous": (alike, infinite),
    "unet_ddpm": (forgotten, infinite), "egnn": (all_zero, half_written), "performer": (copied, alike),
    "perceiver": (sure, forgotten), "nystromformer": (copied, infinite), "conformer": (copied, half_written),
    "gmlp": (alike, forgotten), "mlp_mixer": (copied, sure), "tab_transformer": (infinite, alike),
    "dac": (faint, unit_normal),
    "encodec": (faint, unit_normal), "unet_smp": (half_written, biased), "fpn_smp": (sure, forgotten),
    "unet_monai": (infinite, half_written), "densenet_monai": (biased, sure), "hardnet_kornia": (forgotten, alike),
    "tcn": (biased, copied), "gcn": (faint, sure), "graph_sage": (biased, faint), "gin": (biased, forgotten),
    "unet_diffusers": (infinite, half_written), "gpt_neox": (copied, unit_normal), "convnext_hf": (alike, sure),
    "nf_resnet": (unit_normal, faint), "maf_zuko": (all_zero, unit_normal), "efficientnet": (all_zero, sure),
}  # fmt: skip
"""Two of each of thirty models, chosen before any was probed."""
PLAN |= {
    name: tuple(globals()[defect] for defect in defects)
    for name, defects in (healthy_second.PLAN | healthy_third.PLAN | healthy_fifth.PLAN).items()
}


def probed(name: str, defect: Callable[[nn.Module], None] | None) -> list[list[str]]:
    """What is found: rows of code, severity, whether it is at a line of the defect, place and message."""

    def make() -> nn.Module:
        model = build(name)
        if defect is not None:
            defect(model)
        return model

    torch.manual_seed(0)
    report = initaudit.audit(make, inputs=MODELS[name][3](), isolated=True)
    first = defect.__code__.co_firstlineno if defect is not None else 0
    last = first + 15
    own = Path(__file__).name
    rows = []
    for one in report.findings:
        here = one.place.filename.endswith(own) and first <= one.place.row <= last
        if one.severity.value != "note":
            where = f"{Path(one.place.filename).name}:{one.place.row}"
            rows.append([one.code, one.severity.value, "here" if here else "elsewhere", where, one.message])
    signal = next((one.signal for one in report.observations), None)
    seen = "not measured" if signal is None else f"{len(signal.layers)} layers, {'a' if signal.losses else 'no'} loss"
    seen += "".join(f", {name} missing without a reason" for name in unnamed(signal))
    doubts = [one.reason for observed in report.observations for one in observed.undecided]
    return [[seen, _anywhere("; ".join(doubts))], *rows]


def unnamed(signal: SignalProfile | None) -> list[str]:
    """Measures that a profile lacks although it does not say why."""
    if signal is None:
        return []
    layers = signal.layers
    if not layers and "gradient" in signal.skipped:  # it says that there is no weight with two or more dimensions
        return []
    there = {
        "layers": bool(layers),
        "losses": bool(signal.losses),
        "gradient": any(one.gradient for one in layers),
        "discrimination": any(one.discrimination for one in layers),
        "dead": any(one.dead for one in layers) or not any(one.activation == "relu" for one in layers),
    }
    return [name for name, found in there.items() if not found and name not in signal.skipped]


def _anywhere(text: str) -> str:
    """Without the folders in which libraries are installed here."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    return text


def apart(name: str, defect: Callable[[nn.Module], None] | None) -> list[list[str]] | str:
    """The same in a process of its own; why there is nothing, if so."""
    try:
        importlib.import_module(MODELS[name][1])  # here, so that it is imported once
    except Exception as error:  # whatever a library raises
        return f"cannot be imported: {error}".splitlines()[0]
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sys.stdout = sys.stderr  # some models print
        try:
            sender.send(probed(name, defect))
        except Exception as error:  # whatever a library raises
            sender.send(f"{type(error).__name__}: {error}".splitlines()[0])

    process = context.Process(target=work)
    process.start()
    answer = receiver.recv() if receiver.poll(SECONDS) else "took too long"
    process.kill()
    return answer


def version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def healthy(names: list[str]) -> Iterator[dict[str, str]]:
    """A row for each finding, or one for a model without."""
    for name in names:
        row = {"model": name, "library": f"{MODELS[name][0]} {version(MODELS[name][0])}"}
        answer = apart(name, None)
        if isinstance(answer, str):
            yield {**row, "seen": answer}
            continue
        (seen, doubts), *found = answer
        for code, severity, _, where, message in found or [["", "", "", "", ""]]:
            yield {
                **row,
                "seen": seen,
                "code": code,
                "severity": severity,
                "place": where,
                "message": message,
                "not decided": doubts,
            }


def changes(name: str, defect: Callable[[nn.Module], None]) -> bool:
    """Whether a defect writes or replaces any parameter, as one of biases does not where no layer has one."""
    model = build(name)
    before = [(one, one._version) for one in model.parameters()]
    defect(model)
    return any(
        new is not old or new._version != was for new, (old, was) in zip(model.parameters(), before, strict=True)
    )


def mutants(names: list[str]) -> Iterator[dict[str, str]]:
    for name in names:
        for defect in PLAN.get(name, ()):
            row = {"model": name, "library": f"{MODELS[name][0]} {version(MODELS[name][0])}", "defect": defect.__name__}
            answer = apart(name, defect)
            if isinstance(answer, str):
                yield {**row, "outcome": "failed", "found": answer}
                continue
            found = [one for one in answer[1:] if one[0].startswith(EXPECTED[defect])]
            right = any(one[2] == "here" for one in found)
            outcome = "caught" if right else "other line" if found else "missed"
            if not found and not changes(name, defect):
                outcome = "plants nothing"
            told = "; ".join(dict.fromkeys(f"{code} {where}" for code, _, _, where, _ in answer[1:]))
            yield {**row, "outcome": outcome, "found": told}


def main() -> None:
    """Probe every model, or every mutant, each in a process of its own."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    asked = [one for one in sys.argv[1:] if not one.startswith("-")]
    names = [name for name, (library, *_) in MODELS.items() if version(library) and (not asked or name in asked)]
    planted = "--mutants" in sys.argv
    file = RESULTS / ("mutants.csv" if planted else "healthy.csv")
    columns = ["model", "library", "defect", "outcome", "found", "trained"]
    if not planted:
        columns = ["model", "library", "seen", "code", "severity", "place", "message", "not decided", "verdict"]
    kept, key = ("trained", ("model", "defect")) if planted else ("verdict", ("model", "code", "place"))
    before: dict[tuple[str, ...], str] = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as stream:
            before = {tuple(row[one] for one in key): row[kept] for row in csv.DictReader(stream)}
    target = sys.stdout if asked else file.open("w", encoding="utf-8", newline="")
    writer = csv.DictWriter(target, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in mutants(names) if planted else healthy(names):
        row[kept] = before.get(tuple(row.get(one, "") for one in key), "")
        writer.writerow(row)
        target.flush()


if __name__ == "__main__":
    main()
