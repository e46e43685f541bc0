"""Small models of released libraries whose values are lost when they are built on the meta device.

Each function builds one; ``replayed_releases.py`` replays them on the release that has the bug and on the mended one.
"""

from __future__ import annotations

from typing import Any

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": 128,
}
VISION = {
    "hidden_size": 32,
    "image_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "patch_size": 16,
}


def transformers_model(name: str, **settings: Any) -> Any:
    import transformers

    cls = getattr(transformers, name)
    return cls(cls.config_class(**settings))


def align() -> Any:
    vision = {"depth_coefficient": 0.1, "hidden_dim": 32, "image_size": 32, "width_coefficient": 0.1}
    return transformers_model("AlignModel", text_config=TEXT, vision_config=vision, projection_dim=32)


def bros() -> Any:
    return transformers_model("BrosSpadeELForTokenClassification", **TEXT)


def clap() -> Any:
    audio = {"depths": [1, 1], "hidden_size": 48, "num_attention_heads": [2, 2], "num_hidden_layers": 2}
    audio |= {"patch_embeds_hidden_size": 24, "spec_size": 64, "num_mel_bins": 16, "window_size": 4}
    return transformers_model("ClapModel", text_config=TEXT, audio_config=audio, projection_dim=32)


def kosmos2() -> Any:
    text = {"attention_heads": 2, "embed_dim": 32, "ffn_dim": 64, "layers": 1, "vocab_size": 128}
    return transformers_model("Kosmos2Model", text_config=text, vision_config=VISION, latent_query_num=4)


def omdet_turbo() -> Any:
    from transformers import CLIPTextConfig, SwinConfig

    return transformers_model(
        "OmDetTurboForObjectDetection",
        text_config=CLIPTextConfig(**TEXT, projection_dim=32),
        backbone_config=SwinConfig(
            image_size=64, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], out_indices=[2, 3, 4]
        ),
        use_timm_backbone=False,
        backbone=None,
        apply_layernorm_after_vision_backbone=True,
        encoder_hidden_dim=32,
        decoder_hidden_dim=32,
        class_embed_dim=32,
        task_encoder_hidden_dim=32,
        text_projection_in_dim=32,
        text_projection_out_dim=32,
        vision_features_channels=[32, 64, 128],
        encoder_in_channels=[32, 64, 128],
        encoder_dim_feedforward=64,
        decoder_dim_feedforward=64,
        decoder_num_layers=1,
        num_queries=8,
    )


def owlv2() -> Any:
    return transformers_model("Owlv2Model", text_config=TEXT, vision_config=VISION, projection_dim=32)


def sam() -> Any:
    vision = {"global_attn_indexes": [0], "hidden_size": 32, "image_size": 64, "num_attention_heads": 2}
    vision |= {"num_hidden_layers": 1, "output_channels": 32, "patch_size": 16, "window_size": 2, "mlp_dim": 64}
    decoder = {"hidden_size": 32, "iou_head_hidden_dim": 32, "mlp_dim": 64, "num_attention_heads": 2}
    prompt = {"hidden_size": 32, "image_size": 64, "patch_size": 16}
    return transformers_model(
        "SamModel", vision_config=vision, mask_decoder_config=decoder, prompt_encoder_config=prompt
    )


def swiftformer() -> Any:
    return transformers_model("SwiftFormerModel", depths=[1, 1, 1, 1], embed_dims=[16, 16, 32, 32])


def tvp() -> Any:
    backbone = {"depths": [1, 1, 1, 1], "embedding_size": 16, "hidden_sizes": [16, 16, 16, 16], "model_type": "resnet"}
    return transformers_model("TvpModel", **TEXT, type_vocab_size=2, backbone_config=backbone)


def vits() -> Any:
    return transformers_model(
        "VitsModel", hidden_size=32, num_hidden_layers=1, ffn_dim=64, vocab_size=38, flow_size=32, spectrogram_bins=33
    )


def tapas() -> Any:
    return transformers_model("TapasForQuestionAnswering", **TEXT)


def swin() -> Any:
    import timm

    return timm.create_model("swin_tiny_patch4_window7_224", img_size=56, depths=(1, 1), embed_dim=24, num_heads=(1, 2))


def user_model(*, rule: bool) -> Any:
    """A user's model whose `_init_weights` has a rule for its new layer, or none (huggingface/transformers#35437)."""
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

    class Config(PreTrainedConfig):
        model_type = "of_a_user"

    class Model(PreTrainedModel):
        config_class = Config

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.proj = nn.Linear(10, 10)
            self.extra = nn.Linear(20, 20)
            self.post_init()

        def _init_weights(self, module: nn.Module) -> None:
            if rule and isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    return Model(Config())


def user_model_without_a_rule() -> Any:
    return user_model(rule=False)


def user_model_with_a_rule() -> Any:
    return user_model(rule=True)


def window(*, guarded: bool) -> Any:
    """A layer that computes its index unless its weights are on meta, or always (pytorch-image-models#2662)."""
    import torch
    from torch import nn

    class Window(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("index", torch.empty(9, 9, dtype=torch.long), persistent=False)
            self.qk = nn.Linear(8, 16)
            if not (guarded and self.qk.weight.is_meta):
                self.reset_parameters()

        def reset_parameters(self) -> None:
            place = torch.arange(9)
            self.index.copy_((place[:, None] // 3 - place // 3 + 2) * 5 + place[:, None] % 3 - place % 3 + 2)

    return Window()


def guarded_window() -> Any:
    return window(guarded=True)


def unguarded_window() -> Any:
    return window(guarded=False)


def mixture(*, forgets: bool) -> Any:
    """A mixture of experts as torchtitan writes them, whose router forgets the bias that balances the load, or not."""
    import torch
    from torch import nn

    class Router(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Linear(8, 4, bias=False)
            self.register_buffer("expert_bias", torch.zeros(4))

        def init_weights(self, init_std: float) -> None:
            nn.init.trunc_normal_(self.gate.weight, std=init_std)
            if not forgets:
                self.expert_bias.zero_()

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tok_embeddings = nn.Embedding(10, 8)
            self.router = Router()
            self.init_weights()

        def init_weights(self, buffer_device: torch.device | None = None) -> None:
            nn.init.normal_(self.tok_embeddings.weight)
            self.router.init_weights(0.02)

    return Mixture()


def forgetful_mixture() -> Any:
    return mixture(forgets=True)


def whole_mixture() -> Any:
    return mixture(forgets=False)


def rotary(*, resets: bool) -> Any:
    """Frequencies that only the constructor computes, or that are computed again (huggingface/transformers#34234)."""
    import torch
    from torch import nn

    class Rotary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("inv_freq", self.frequencies(), persistent=False)

        def frequencies(self) -> torch.Tensor:
            return 1.0 / 10_000 ** (torch.arange(0, 8, 2) / 8)

    class Resettable(Rotary):
        def reset_parameters(self) -> None:
            self.inv_freq = self.frequencies()

    return nn.ModuleList([nn.Linear(8, 8), Resettable() if resets else Rotary()])


def lost_rotary() -> Any:
    return rotary(resets=False)


def reset_rotary() -> Any:
    return rotary(resets=True)
