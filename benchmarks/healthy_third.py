"""Models of a third set of libraries, and defects to plant in them, for ``healthy.py``: chosen before any probing."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import torch
from batches import image, sequence, tokens
from torch import nn

os.environ.setdefault("DDE_BACKEND", "pytorch")


class Density(nn.Module):
    """A flow, whose forward is the logarithm of its density."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: torch.Tensor) -> Any:
        return self.flow.log_prob(x)


class Mean(nn.Module):
    """The mean over the positions of a sequence."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1)


class Named(nn.Module):
    """A model that is given its batch as a dictionary, and returns an object with ``recon_x``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.model({"data": data}).recon_x  # type: ignore[no-any-return]


class Spikes(nn.Module):
    """A spiking network that is shown its input for four steps, and counts."""

    def __init__(self, net: nn.Module, reset: Callable[[nn.Module], None]) -> None:
        super().__init__()
        self.net, self.reset = net, reset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.reset(self.net)
        return torch.stack([self.net(x) for _ in range(4)]).mean(0)


def submodule(name: str) -> Any:
    return importlib.import_module(name)


def policy(m: Any) -> nn.Module:
    spaces = submodule("gymnasium.spaces")
    seen = spaces.Box(0, 255, (4, 84, 84), "uint8")
    return m.ActorCriticCnnPolicy(seen, spaces.Discrete(6), lambda _: 3e-4)  # type: ignore[no-any-return]


def real_nvp(m: Any) -> nn.Module:
    flows: list[nn.Module] = []
    for _ in range(6):
        inner = m.nets.MLP([4, 128, 128, 8], init_zeros=True)
        flows += [m.flows.AffineCouplingBlock(inner), m.flows.Permute(8, mode="swap")]
    return Density(m.NormalizingFlow(m.distributions.base.DiagGaussian(8), flows))


def invertible(m: Any) -> nn.Module:
    modules, net = submodule("FrEIA.modules"), m.SequenceINN(16)
    for _ in range(6):
        net.append(
            modules.AllInOneBlock,
            subnet_constructor=lambda i, o: nn.Sequential(nn.Linear(i, 128), nn.ReLU(), nn.Linear(128, o)),
        )
    return net  # type: ignore[no-any-return]


def state_space(m: Any) -> nn.Module:
    blocks = [m.S5Block(64, 64, bidir=False) for _ in range(4)]
    return nn.Sequential(nn.Linear(32, 64), *blocks, Mean(), nn.Linear(64, 10))


def mixer(m: Any) -> nn.Module:
    layers = m.ConvMixerLayer(128, 7)
    return m.ConvMixer(layers, 4, m.PatchEmbeddings(128, 4, 3), m.ClassificationHead(128, 10))  # type: ignore[no-any-return]


class Masked(nn.Module):
    """An encoder of the library, with nothing masked, as a classifier of its first piece."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.classifier = encoder, nn.Linear(128, 5)

    def forward(self, pieces: torch.Tensor) -> torch.Tensor:
        mask = submodule("curated_transformers.layers").AttentionMask(torch.ones_like(pieces, dtype=torch.bool))
        return self.classifier(self.encoder(pieces, mask).last_hidden_layer_state[:, 0])  # type: ignore[no-any-return]


def bert(m: Any) -> nn.Module:
    encoder = m.BERTEncoder(
        m.BERTConfig(
            embedding_width=128, hidden_width=128, intermediate_width=256, n_attention_heads=4, n_hidden_layers=4,
            n_pieces=64, model_max_length=32,
        )
    )  # fmt: skip
    return Masked(encoder)


def complex_net(m: Any) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = m.ComplexLinear(64, 128), m.ComplexLinear(128, 128)
            self.three, self.out = m.ComplexLinear(128, 128), m.ComplexLinear(128, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            relu = submodule("complexPyTorch.complexFunctions").complex_relu
            return self.out(relu(self.three(relu(self.two(relu(self.one(x))))))).abs()  # type: ignore[no-any-return]

    return Net()


def experts(m: Any) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.moe = nn.Linear(32, 64), m.MoE(dim=64, num_experts=4)
            self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.embed(x)
            return self.head(self.norm(x + self.moe(x)[0]).mean(1))  # type: ignore[no-any-return]

    return Net()


def spiking(m: Any) -> nn.Module:
    neuron, layer = submodule("spikingjelly.activation_based.neuron"), submodule("spikingjelly.activation_based.layer")
    net = nn.Sequential(
        layer.Conv2d(3, 32, 3, padding=1, bias=False), layer.BatchNorm2d(32), neuron.IFNode(), layer.MaxPool2d(2),
        layer.Conv2d(32, 64, 3, padding=1, bias=False), layer.BatchNorm2d(64), neuron.IFNode(), layer.MaxPool2d(2),
        nn.Flatten(), layer.Linear(64 * 16, 128, bias=False), neuron.IFNode(), layer.Linear(128, 10, bias=False),
    )  # fmt: skip
    return Spikes(net, m.reset_net)


def leaky(m: Any) -> nn.Module:
    units = [m.Leaky(beta=0.9, init_hidden=True) for _ in range(3)]
    net = nn.Sequential(
        nn.Linear(64, 128), units[0], nn.Linear(128, 128), units[1], nn.Linear(128, 10), units[2]
    )  # fmt: skip
    return Spikes(net, lambda _: [one.reset_mem() for one in units] and None)


def bayesian(layer: Callable[..., nn.Module]) -> nn.Module:
    return nn.Sequential(layer(32, 128), nn.ReLU(), layer(128, 128), nn.ReLU(), layer(128, 5))


def listener(m: Any) -> nn.Module:
    return m.Whisper(  # type: ignore[no-any-return]
        m.ModelDimensions(
            n_mels=40, n_audio_ctx=16, n_audio_state=128, n_audio_head=4, n_audio_layer=3, n_vocab=64,
            n_text_ctx=16, n_text_state=128, n_text_head=4, n_text_layer=3,
        )
    )  # fmt: skip


def vocoder(m: Any) -> nn.Module:
    return nn.Sequential(
        m.VocosBackbone(input_channels=80, dim=128, intermediate_dim=384, num_layers=4),
        submodule("vocos.heads").ISTFTHead(dim=128, n_fft=64, hop_length=16),
    )


def clip(m: Any) -> nn.Module:
    return m.create_x3d(  # type: ignore[no-any-return]
        input_clip_length=4, input_crop_size=64, model_num_class=10, dropout_rate=0.0, width_factor=1.0,
        depth_factor=1.0, head_dim_out=256, head_activation=None,
    )  # fmt: skip


def medical(m: Any) -> nn.Module:
    return m.PlainConvUNet(  # type: ignore[no-any-return]
        1, 4, [16, 32, 64, 128], nn.Conv2d, 3, [1, 2, 2, 2], 2, 4, 2, conv_bias=True, norm_op=nn.InstanceNorm2d,
        norm_op_kwargs={"affine": True}, nonlin=nn.LeakyReLU, nonlin_kwargs={"inplace": True},
    )  # fmt: skip


# distribution, module, what to build there, inputs
MODELS: dict[str, tuple[str, str, Callable[[Any], nn.Module], Callable[[], Any]]] = {
    "ecapa": (
        "speechbrain",
        "speechbrain.lobes.models.ECAPA_TDNN",
        lambda m: m.ECAPA_TDNN(80, lin_neurons=192, channels=[256, 256, 256, 256, 768]),
        lambda: torch.randn(32, 60, 80),
    ),
    "demucs": (
        "demucs",
        "demucs.demucs",
        lambda m: m.Demucs(["voice", "rest"], channels=32, depth=4, resample=False, norm_starts=2),
        lambda: torch.randn(32, 2, 1024),
    ),
    "unmix": (
        "openunmix",
        "openunmix.model",
        lambda m: m.OpenUnmix(nb_bins=257, nb_channels=1, hidden_size=128),
        lambda: torch.randn(32, 1, 257, 16).abs(),
    ),
    "ctgan": (
        "ctgan",
        "ctgan.synthesizers.ctgan",
        lambda m: m.Generator(128, (256, 256), 64),
        lambda: torch.randn(64, 128),
    ),
    "deep_fm_factors": (
        "torchfm",
        "torchfm.model.xdfm",
        lambda m: m.ExtremeDeepFactorizationMachineModel([50] * 8, 16, (64, 64), 0.2, (32, 32)),
        lambda: torch.randint(0, 50, (64, 8)),
    ),
    "actor_critic": (
        "stable-baselines3",
        "stable_baselines3.common.policies",
        policy,
        lambda: torch.randint(0, 256, (32, 4, 84, 84), dtype=torch.uint8),
    ),
    "dqn": (
        "pfrl",
        "pfrl.nn",
        lambda m: nn.Sequential(m.LargeAtariCNN(), nn.Linear(512, 6)),
        lambda: torch.rand(32, 4, 84, 84),
    ),
    "maf": (
        "nflows",
        "nflows.flows.autoregressive",
        lambda m: Density(m.MaskedAutoregressiveFlow(8, 128, 4, 2)),
        lambda: torch.randn(64, 8),
    ),
    "real_nvp": ("normflows", "normflows", real_nvp, lambda: torch.randn(64, 8)),
    "invertible": ("FrEIA", "FrEIA.framework", invertible, lambda: torch.randn(64, 16)),
    "state_space": ("s5-pytorch", "s5.s5_model", state_space, sequence),
    "xlstm": (
        "xlstm",
        "xlstm.xlstm_lm_model",
        lambda m: m.xLSTMLMModel(
            m.xLSTMLMModelConfig(
                vocab_size=64,
                embedding_dim=128,
                num_blocks=3,
                context_length=16,
                mlstm_block=submodule("xlstm").mLSTMBlockConfig(),
            )
        ),
        tokens,
    ),
    "retentive": (
        "yet-another-retnet",
        "yet_another_retnet.retnet",
        lambda m: m.RetNet(num_tokens=64, d_model=128, nhead=4, num_layers=4, dim_feedforward=256),
        lambda: (tokens(), tokens()),
    ),
    "deep_net": (
        "torchscale",
        "torchscale.architecture.encoder",
        lambda m: m.Encoder(
            submodule("torchscale.architecture.config").EncoderConfig(
                vocab_size=64,
                encoder_embed_dim=128,
                encoder_attention_heads=4,
                encoder_ffn_embed_dim=256,
                encoder_layers=4,
                deepnorm=True,
            ),
            embed_tokens=nn.Embedding(64, 128),
        ),
        tokens,
    ),
    "faces": (
        "facenet-pytorch",
        "facenet_pytorch.models.inception_resnet_v1",
        lambda m: m.InceptionResnetV1(classify=True, num_classes=10, dropout_prob=0.0),
        lambda: image(80),
    ),
    "segment": (
        "segment-anything",
        "segment_anything.modeling.image_encoder",
        lambda m: m.ImageEncoderViT(
            img_size=64,
            patch_size=8,
            embed_dim=192,
            depth=4,
            num_heads=4,
            out_chans=64,
            use_rel_pos=True,
            window_size=4,
            global_attn_indexes=(1, 3),
        ),
        lambda: image(64),
    ),
    "dcgan": (
        "torchgan",
        "torchgan.models.dcgan",
        lambda m: m.DCGANGenerator(100, 32, 3, 32),
        lambda: torch.randn(64, 100),
    ),
    "clips": ("pytorchvideo", "pytorchvideo.models.x3d", clip, lambda: torch.randn(16, 3, 4, 64, 64)),
    "edsr": (
        "super-image",
        "super_image",
        lambda m: m.EdsrModel(m.EdsrConfig(scale=2, n_resblocks=8, n_feats=32)),
        lambda: torch.rand(32, 3, 16, 16),
    ),
    "esrgan": (
        "spandrel",
        "spandrel.architectures.ESRGAN.__arch.RRDB",
        lambda m: m.RRDBNet(num_filters=32, num_blocks=4, scale=2),
        lambda: torch.rand(32, 3, 16, 16),
    ),
    "bert_lm": (
        "bert-pytorch",
        "bert_pytorch.model",
        lambda m: m.BERTLM(m.BERT(64, hidden=128, n_layers=3, attn_heads=4), 64),
        lambda: (torch.randint(1, 64, (32, 16)), torch.randint(1, 3, (32, 16))),
    ),
    "conv_mixer": ("labml-nn", "labml_nn.conv_mixer", mixer, image),
    "bert_encoder": ("curated-transformers", "curated_transformers.models.bert", bert, tokens),
    "main_net": (
        "hypnettorch",
        "hypnettorch.mnets.mlp",
        lambda m: m.MLP(n_in=16, n_out=4, hidden_layers=(128, 128, 128), verbose=False),
        lambda: torch.randn(64, 16),
    ),
    "nbeats": (
        "nbeats-pytorch",
        "nbeats_pytorch.model",
        lambda m: m.NBeatsNet(forecast_length=8, backcast_length=32, hidden_layer_units=128),
        lambda: torch.randn(64, 32),
    ),
    "esm": (
        "fair-esm",
        "esm.model.esm2",
        lambda m: m.ESM2(num_layers=4, embed_dim=128, attention_heads=4),
        lambda: torch.randint(4, 24, (32, 24)),
    ),
    "pinn": (
        "deepxde",
        "deepxde.nn.pytorch.fnn",
        lambda m: m.FNN([2] + [64] * 5 + [1], "tanh", "Glorot normal"),
        lambda: torch.rand(256, 2),
    ),
    "made": (
        "pyro-ppl",
        "pyro.nn",
        lambda m: m.AutoRegressiveNN(8, [128, 128], param_dims=[2]),
        lambda: torch.randn(64, 8),
    ),
    "blitz": (
        "blitz-bayesian-pytorch",
        "blitz.modules",
        lambda m: bayesian(m.BayesianLinear),
        lambda: torch.randn(64, 32),
    ),
    "bnn": (
        "torchbnn",
        "torchbnn",
        lambda m: bayesian(lambda i, o: m.BayesLinear(0, 0.1, i, o)),
        lambda: torch.randn(64, 32),
    ),
    "leaky": ("snntorch", "snntorch", leaky, lambda: torch.rand(64, 64)),
    "spiking": ("spikingjelly", "spikingjelly.activation_based.functional", spiking, lambda: image(16)),
    "complex_net": (
        "complexPyTorch",
        "complexPyTorch.complexLayers",
        complex_net,
        lambda: torch.randn(64, 64, dtype=torch.complex64),
    ),
    "vocos": ("vocos", "vocos.models", vocoder, lambda: torch.randn(32, 80, 16)),
    "whisper": ("openai-whisper", "whisper.model", listener, lambda: (torch.randn(32, 40, 32), tokens())),
    "vae": (
        "pythae",
        "pythae.models",
        lambda m: Named(m.VAE(m.VAEConfig(input_dim=(1, 28, 28), latent_dim=16))),
        lambda: torch.rand(64, 1, 28, 28),
    ),
    "nnunet": (
        "dynamic-network-architectures",
        "dynamic_network_architectures.architectures.unet",
        medical,
        lambda: image(32, 1),
    ),
    "experts": ("st-moe-pytorch", "st_moe_pytorch", experts, sequence),
    "conv_tasnet": (
        "asteroid",
        "asteroid.models.conv_tasnet",
        lambda m: m.ConvTasNet(
            2, n_filters=64, bn_chan=32, hid_chan=64, skip_chan=32, n_blocks=3, n_repeats=2, out_chan=None
        ),
        lambda: torch.randn(32, 512),
    ),
    "denoiser": (
        "denoiser",
        "denoiser.demucs",
        lambda m: m.Demucs(hidden=24, depth=3, resample=1),
        lambda: torch.randn(32, 1, 1024),
    ),
    "simclr": (
        "lightly",
        "lightly.models.modules.heads",
        lambda m: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), m.SimCLRProjectionHead(256, 256, 64)),
        lambda: torch.randn(64, 64),
    ),
}

PLAN = {
    "ecapa": ("forgotten", "copied"), "demucs": ("half_written", "infinite"), "unmix": ("sure", "forgotten"),
    "ctgan": ("forgotten", "half_written"), "deep_fm_factors": ("biased", "forgotten"),
    "actor_critic": ("biased", "faint"), "dqn": ("unit_normal", "biased"), "maf": ("all_zero", "infinite"),
    "real_nvp": ("unit_normal", "half_written"), "invertible": ("infinite", "biased"),
    "state_space": ("forgotten", "sure"), "xlstm": ("copied", "sure"), "retentive": ("copied", "half_written"),
    "deep_net": ("infinite", "copied"), "faces": ("sure", "forgotten"), "segment": ("copied", "all_zero"),
    "dcgan": ("half_written", "infinite"), "clips": ("sure", "half_written"), "edsr": ("unit_normal", "copied"),
    "esrgan": ("faint", "copied"), "bert_lm": ("sure", "copied"), "conv_mixer": ("copied", "sure"),
    "bert_encoder": ("copied", "infinite"),
    "esm": ("sure", "all_zero"), "pinn": ("faint", "all_zero"), "made": ("unit_normal", "forgotten"),
    "leaky": ("all_zero", "forgotten"),
    "spiking": ("forgotten", "all_zero"), "complex_net": ("infinite", "faint"), "vocos": ("copied", "half_written"),
    "whisper": ("copied", "sure"), "vae": ("biased", "half_written"), "nnunet": ("forgotten", "infinite"),
    "experts": ("copied", "sure"), "conv_tasnet": ("half_written", "infinite"), "denoiser": ("faint", "unit_normal"),
    "simclr": ("forgotten", "half_written"),
}  # fmt: skip
"""Two of each whose layers have a ``weight``, by the names that ``healthy.py`` gives its defects."""
