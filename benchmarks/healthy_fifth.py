"""Models of a fifth set of libraries, and defects to plant in them, for ``healthy.py``: chosen before any probing.

The fourth set is no set of libraries: ``written_models.py`` has it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from batches import image, sequence, times, tokens
from healthy_third import Mean
from torch import nn


class Headed(nn.Module):
    """A body of the library and a linear head, as its users write them."""

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x)))  # type: ignore[no-any-return]


class First(nn.Module):
    """The first of what a model returns."""

    def __init__(self, model: nn.Module, batch: Callable[..., Any] = lambda *given: given) -> None:
        super().__init__()
        self.model, self.batch = model, batch

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self.model(*self.batch(*given))[0]  # type: ignore[no-any-return]


class Prepared(nn.Module):
    """A model that is called as its library calls it."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self.call(self.model, *given)  # type: ignore[no-any-return]


def submodule(name: str) -> Any:
    return importlib.import_module(name)


def recurrence(m: Any) -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(32, 128)]
    for _ in range(4):
        layers += [nn.LayerNorm(128), m.LRU(128, 128, 128), nn.GELU(), nn.Linear(128, 128)]
    return nn.Sequential(*layers, Mean(), nn.Linear(128, 10))


def sound(m: Any) -> nn.Module:
    return m.DiffusionModel(  # type: ignore[no-any-return]
        net_t=m.UNetV0, in_channels=2, channels=[64, 128, 256], factors=[1, 2, 2], items=[1, 2, 2],
        attentions=[0, 0, 1], attention_heads=4, attention_features=32, modulation_features=256,
    )  # fmt: skip


def bolt(m: Any) -> nn.Module:
    config = submodule("transformers").T5Config(
        d_model=128, d_kv=32, d_ff=256, num_layers=3, num_decoder_layers=3, num_heads=4, vocab_size=2,
        feed_forward_proj="relu", is_encoder_decoder=True,
        decoder_start_token_id=0,
    )  # fmt: skip
    config.chronos_config = {
        "context_length": 64, "prediction_length": 16, "input_patch_size": 8, "input_patch_stride": 8,
        "quantiles": [0.1, 0.5, 0.9], "use_reg_token": True,
    }  # fmt: skip
    return Prepared(m.ChronosBoltModelForForecasting(config), lambda model, past: model(past).quantile_preds)


def boxes(m: Any) -> nn.Module:
    config = m.get_efficientdet_config("tf_efficientdet_d0")
    config.num_classes, config.image_size = 10, (128, 128)
    return m.EfficientDet(config, pretrained_backbone=False)  # type: ignore[no-any-return]


def contrast(m: Any) -> nn.Module:
    return m.CLIP(  # type: ignore[no-any-return]
        128,
        {"image_size": 32, "patch_size": 8, "width": 192, "layers": 4, "head_width": 64},
        {"context_length": 16, "vocab_size": 64, "width": 128, "heads": 4, "layers": 4, "pad_id": 0},
    )


def gated(m: Any) -> nn.Module:
    config = m.Config(
        n_layer=4, n_head=4, n_embd=128, vocab_size=64, padded_vocab_size=64, block_size=32, intermediate_size=256,
    )  # fmt: skip
    return m.GPT(config)  # type: ignore[no-any-return]


def sphere(m: Any) -> nn.Module:
    return m.SphericalFourierNeuralOperator(  # type: ignore[no-any-return]
        img_size=(32, 64), grid="equiangular", scale_factor=1, in_chans=3, out_chans=3, embed_dim=64, num_layers=3,
        use_mlp=True,
    )  # fmt: skip


def forecast(m: Any) -> nn.Module:
    model = m.NHITS(h=12, input_size=48, mlp_units=3 * [[256, 256]], n_freq_downsample=[2, 2, 1])
    return Prepared(
        model,
        lambda net, x: net(
            {"insample_y": x, "insample_mask": torch.ones_like(x[..., 0]), "futr_exog": None, "hist_exog": None,
             "stat_exog": None}
        ),
    )  # fmt: skip


def imputed(m: Any) -> nn.Module:
    body = m.BackboneSAITS(24, 8, 2, 128, 4, 32, 32, 256, 0.1, 0.0)
    return Prepared(body, lambda net, x: net(x, torch.ones_like(x))[2])


def filled(m: Any) -> nn.Module:
    return m.MEGABYTE(num_tokens=64, dim=(256, 128), depth=(3, 2), max_seq_len=(8, 4))  # type: ignore[no-any-return]


def detector(m: Any) -> nn.Module:
    return m.ClassificationModel("yolov8n-cls.yaml", nc=10, verbose=False)  # type: ignore[no-any-return]


def flow(m: Any) -> nn.Module:
    net = m.RealNVP(n_inputs=8, n_transforms=4, n_neurons=128, batch_norm_between_transforms=True)
    return Prepared(net, lambda model, x: model.log_prob(x))


# distribution, module, what to build there, inputs
MODELS: dict[str, tuple[str, str, Callable[[Any], nn.Module], Callable[[], Any]]] = {
    "resnet18": ("torchvision", "torchvision.models", lambda m: m.resnet18(num_classes=10), lambda: image(64)),
    "swin_tiny": ("torchvision", "torchvision.models", lambda m: m.swin_t(num_classes=10), lambda: image(64)),
    "mobile": ("torchvision", "torchvision.models", lambda m: m.mobilenet_v3_small(num_classes=10), lambda: image(64)),
    "squeeze": ("torchvision", "torchvision.models", lambda m: m.squeezenet1_1(num_classes=10), lambda: image(64)),
    "video": (
        "torchvision",
        "torchvision.models.video",
        lambda m: m.r3d_18(num_classes=10),
        lambda: torch.randn(32, 3, 4, 32, 32),
    ),
    "deep_speech": (
        "torchaudio",
        "torchaudio.models",
        lambda m: m.DeepSpeech(64, n_hidden=512, n_class=40),
        lambda: torch.randn(32, 1, 40, 64),
    ),
    "wav2letter": (
        "torchaudio",
        "torchaudio.models",
        lambda m: m.Wav2Letter(num_classes=40, input_type="mfcc", num_features=64),
        lambda: torch.randn(32, 64, 80),
    ),
    "conformer_audio": (
        "torchaudio",
        "torchaudio.models",
        lambda m: First(m.Conformer(80, 4, 256, 3, 31)),
        lambda: (torch.randn(32, 40, 80), torch.full((32,), 40)),
    ),
    "rainbow": (
        "tianshou",
        "tianshou.env.atari.atari_network",
        lambda m: First(m.RainbowNet(c=4, h=84, w=84, action_shape=[6])),
        lambda: torch.rand(32, 4, 84, 84),
    ),
    "dueling": (
        "torchrl",
        "torchrl.modules",
        lambda m: m.DuelingCnnDQNet(out_features=6, cnn_kwargs={"in_features": 4}, mlp_kwargs={"in_features": 3136}),
        lambda: torch.rand(32, 4, 84, 84),
    ),
    "pixels": (
        "d3rlpy",
        "d3rlpy.models.torch",
        lambda m: Headed(m.PixelEncoder((4, 84, 84)), 512, 6),
        lambda: torch.rand(32, 4, 84, 84),
    ),
    "audio_unet": ("audio-diffusion-pytorch", "audio_diffusion_pytorch", sound, lambda: torch.randn(32, 2, 256)),
    "unclip": (
        "dalle2-pytorch",
        "dalle2_pytorch",
        lambda m: Prepared(
            m.Unet(dim=32, image_embed_dim=64, cond_dim=64, channels=3, dim_mults=(1, 2)),
            lambda net, x, t, e: net(x, t, image_embed=e),
        ),
        lambda: (image(16), times(), torch.randn(32, 64)),
    ),
    "unet_cfm": (
        "torchcfm",
        "torchcfm.models.unet",
        lambda m: m.UNetModel(
            dim=(3, 16, 16), num_channels=64, num_res_blocks=1, channel_mult=(1, 2), attention_resolutions="8"
        ),
        lambda: (torch.rand(32), image(16)),
    ),
    "straight": (
        "rectified-flow-pytorch",
        "rectified_flow_pytorch",
        lambda m: m.Unet(dim=32, dim_mults=(1, 2)),
        lambda: (image(16), torch.rand(32)),
    ),
    "vim": (
        "vision-mamba",
        "vision_mamba.model",
        lambda m: m.Vim(
            dim=128, dt_rank=16, dim_inner=128, d_state=64, num_classes=10, image_size=32, patch_size=8, depth=4
        ),
        image,
    ),
    "recurrence": ("LRU-pytorch", "LRU_pytorch", recurrence, sequence),
    "inception_time": (
        "tsai",
        "tsai.models.InceptionTimePlus",
        lambda m: m.InceptionTimePlus(8, 5, seq_len=64),
        lambda: torch.randn(32, 8, 64),
    ),
    "patch_tst": (
        "tsai",
        "tsai.models.PatchTST",
        lambda m: m.PatchTST(c_in=8, c_out=None, seq_len=96, pred_dim=24, n_heads=4, d_model=128, d_ff=256),
        lambda: torch.randn(32, 8, 96),
    ),
    "bolt": ("chronos-forecasting", "chronos.chronos_bolt", bolt, lambda: torch.randn(32, 64)),
    "saits": ("pypots", "pypots.nn.modules.saits", imputed, lambda: torch.randn(32, 24, 8)),
    "xception": (
        "pretrainedmodels",
        "pretrainedmodels",
        lambda m: m.xception(num_classes=10, pretrained=None),
        lambda: image(96),
    ),
    "boxes": ("effdet", "effdet", boxes, lambda: image(128)),
    "contrast": ("open_clip_torch", "open_clip.model", contrast, lambda: (image(32), tokens())),
    "chest": (
        "torchxrayvision",
        "torchxrayvision.models",
        lambda m: m.DenseNet(num_classes=10),
        lambda: image(64, 1),
    ),
    "lit_gpt": ("litgpt", "litgpt", gated, tokens),
    "karras": (
        "k-diffusion",
        "k_diffusion.models",
        lambda m: m.ImageDenoiserModelV1(3, 128, [1, 2], [64, 128], [False, True]),
        lambda: (image(16), torch.rand(32) + 0.1),
    ),
    "nhits": ("neuralforecast", "neuralforecast.models", forecast, lambda: torch.randn(64, 48, 1)),
    "feed_forward": (
        "gluonts",
        "gluonts.torch.model.simple_feedforward.module",
        lambda m: Prepared(m.SimpleFeedForwardModel(12, 48, [128, 128]), lambda net, x: net(x)[0][1]),
        lambda: torch.randn(64, 48),
    ),
    "sphere": ("torch-harmonics", "torch_harmonics.examples.models", sphere, lambda: torch.randn(32, 3, 32, 64)),
    "megabyte": ("MEGABYTE-pytorch", "MEGABYTE_pytorch", filled, lambda: torch.randint(0, 64, (32, 8, 4))),
    "routing": (
        "routing-transformer",
        "routing_transformer",
        lambda m: First(
            m.RoutingTransformerLM(num_tokens=64, dim=128, heads=4, depth=3, max_seq_len=64, window_size=16)
        ),
        lambda: tokens(length=64),
    ),
    "titans": (
        "titans-pytorch",
        "titans_pytorch",
        lambda m: m.MemoryAsContextTransformer(
            num_tokens=64, dim=128, depth=3, segment_len=8, num_persist_mem_tokens=4, num_longterm_mem_tokens=4, heads=4
        ),
        tokens,
    ),
    "block_recurrent": (
        "block-recurrent-transformer-pytorch",
        "block_recurrent_transformer_pytorch",
        lambda m: First(
            m.BlockRecurrentTransformer(num_tokens=64, dim=128, depth=3, heads=4, max_seq_len=32, block_width=16)
        ),
        lambda: tokens(length=32),
    ),
    "pitch": ("torchcrepe", "torchcrepe.model", lambda m: m.Crepe("tiny"), lambda: torch.randn(32, 1024)),
    "tagging": (
        "panns-inference",
        "panns_inference.models",
        lambda m: Prepared(m.Cnn14(8000, 256, 80, 64, 50, 4000, 50), lambda net, x: net(x)["clipwise_output"]),
        lambda: torch.randn(32, 8000),
    ),
    "yolo": ("ultralytics", "ultralytics.nn.tasks", detector, lambda: image(64)),
    "waves": ("glasflow", "glasflow", flow, lambda: torch.randn(64, 8)),
}

PLAN = {
    "resnet18": ("all_zero", "half_written"), "swin_tiny": ("forgotten", "sure"), "mobile": ("biased", "sure"),
    "squeeze": ("faint", "biased"), "video": ("half_written", "infinite"), "deep_speech": ("faint", "biased"),
    "wav2letter": ("unit_normal", "biased"), "conformer_audio": ("copied", "forgotten"),
    "rainbow": ("infinite", "half_written"), "dueling": ("biased", "unit_normal"), "pixels": ("faint", "sure"),
    "audio_unet": ("infinite", "forgotten"), "unclip": ("half_written", "infinite"),
    "unet_cfm": ("forgotten", "half_written"), "straight": ("infinite", "forgotten"),
    "vim": ("copied", "all_zero"), "recurrence": ("forgotten", "sure"), "inception_time": ("sure", "half_written"),
    "patch_tst": ("copied", "infinite"), "bolt": ("copied", "half_written"), "saits": ("copied", "forgotten"),
    "xception": ("all_zero", "sure"), "boxes": ("half_written", "infinite"), "contrast": ("copied", "forgotten"),
    "chest": ("sure", "infinite"), "lit_gpt": ("copied", "unit_normal"), "karras": ("forgotten", "infinite"),
    "nhits": ("faint", "unit_normal"), "feed_forward": ("unit_normal", "half_written"),
    "sphere": ("copied", "infinite"), "megabyte": ("sure", "half_written"), "routing": ("sure", "forgotten"),
    "titans": ("sure", "infinite"), "block_recurrent": ("half_written", "forgotten"),
    "pitch": ("biased", "forgotten"),
    "tagging": ("infinite", "half_written"), "yolo": ("sure", "all_zero"), "waves": ("forgotten", "infinite"),
}  # fmt: skip
"""Two of each, by the names that ``healthy.py`` gives its defects."""
