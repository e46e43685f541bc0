"""Which architectures stand in the zoo, with what arguments and inputs, and what is wrong with the broken ones.

A name and a factory, its arguments, the sizes of its inputs, and for the broken the codes of the rules that are right.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

FLAT, TOKENS, SMALL, IMAGE = ("32,64",), ("32,12",), ("32,3,16,16",), ("32,3,32,32",)
SERIES = ("32,10,32",)


class Specimen(NamedTuple):
    name: str
    factory: str
    kwargs: dict[str, Any]
    sizes: tuple[str, ...]
    dtype: str | None
    codes: frozenset[str]  # of the rules that are right about it; empty for a healthy one

    @property
    def broken(self) -> bool:
        return bool(self.codes)

    @property
    def held_aside(self) -> bool:
        """Whether it belongs to the third that no threshold was chosen by: decided by its name alone."""
        return zlib.crc32(self.name.encode()) % 3 == 0


def healthy(
    name: str, factory: str, sizes: tuple[str, ...] = FLAT, dtype: str | None = None, **kwargs: Any
) -> Specimen:
    return Specimen(name, factory, kwargs, sizes, dtype, frozenset())


def broken(
    name: str, codes: str, factory: str, sizes: tuple[str, ...] = FLAT, dtype: str | None = None, **kwargs: Any
) -> Specimen:
    return Specimen(name, factory, kwargs, sizes, dtype, frozenset(codes.split()))


MLP, CNN, RES, GPT = "plain:MLP", "plain:Convolutions", "vision:ResNet", "sequence:GPT"

HEALTHY = (
    healthy("mlp default 2", MLP, depth=2),
    healthy("mlp default 4", MLP, depth=4),
    healthy("mlp default gelu 4", MLP, depth=4, act="gelu"),
    healthy("mlp default dropout", MLP, depth=3, dropout=0.5),
    healthy("mlp default wide", MLP, widths=[64, 512, 256, 128]),
    *(healthy(f"mlp he {n}", MLP, depth=n, weight="he", bias=0.0) for n in (3, 10, 20, 40)),
    healthy("mlp he default bias", MLP, depth=10, weight="he_uniform"),
    healthy("mlp he leaky", MLP, depth=16, weight="he_leaky", act="leaky", bias=0.0),
    healthy("mlp he prelu", MLP, depth=8, weight="he", act="prelu", bias=0.0),
    healthy("mlp he silu", MLP, depth=6, weight="he", act="silu", bias=0.0),
    healthy("mlp he pyramid", MLP, widths=[64, 256, 128, 64, 32, 16], weight="he", bias=0.0),
    healthy("mlp he narrow", MLP, widths=[64, 16, 16, 16], weight="he", bias=0.0),
    healthy("mlp he small bias", MLP, depth=6, weight="he", bias=0.01),
    healthy("mlp xavier relu gain", MLP, depth=12, weight="xavier_relu", bias=0.0),
    healthy("mlp xavier relu 3", MLP, depth=3, weight="xavier", bias=0.0),
    healthy("mlp orthogonal relu", MLP, depth=24, weight="orthogonal_relu", bias=0.0),
    healthy("mlp tanh xavier", MLP, depth=10, act="tanh", weight="xavier", bias=0.0),
    healthy("mlp tanh gain", MLP, depth=24, act="tanh", weight="xavier_tanh", bias=0.0),
    healthy("mlp tanh default", MLP, depth=3, act="tanh"),
    healthy("mlp sigmoid 2", MLP, depth=2, act="sigmoid", weight="xavier", bias=0.0),
    healthy("mlp softplus", MLP, depth=3, act="softplus"),
    healthy("mlp selu", MLP, depth=24, act="selu", weight="lecun", bias=0.0),
    healthy("mlp elu", MLP, depth=8, act="elu", weight="he", bias=0.0),
    healthy("mlp batch norm", MLP, depth=20, norm="batch"),
    healthy("mlp layer norm", MLP, depth=20, norm="layer"),
    healthy("mlp rms norm", MLP, depth=12, norm="rms", act="gelu"),
    healthy("mlp xavier batch norm", MLP, depth=12, norm="batch", weight="xavier", bias=0.0),
    healthy("mlp small normal layer norm", MLP, depth=12, norm="layer", weight="normal 0.02", bias=0.0),
    healthy("mlp zero head", MLP, depth=4, weight="he", bias=0.0, head="constant 0.0"),
    healthy("mlp log softmax", MLP, depth=3, weight="he", bias=0.0, final="log_softmax"),
    healthy("mlp one layer", MLP, depth=1),
    healthy("mlp bfloat16", MLP, dtype="bfloat16", depth=4, precision="bfloat16"),
    healthy("residual layer norm", "plain:Residual", norm="layer"),
    healthy("residual rezero", "plain:Residual", depth=24, rezero=True),
    healthy("residual fixup", "plain:Residual", depth=24, fixup=True),
    healthy("residual highway", "plain:Residual", depth=16, highway=True),
    healthy("residual small branch", "plain:Residual", depth=12, weight="normal 0.02"),
    healthy("dense connections", "plain:Dense"),
    healthy("vgg he", CNN, SMALL),
    healthy("vgg he deep", CNN, SMALL, plan="16 16 16 M 32 32 32 M 32 32 32 32"),
    healthy("vgg batch norm", CNN, SMALL, norm=True, plan="16 16 M 32 32 M 64 64 64 M 64 64"),
    healthy("vgg default short", CNN, SMALL, plan="16 M 32 M 32", weight="default", bias=None),
    healthy("vgg orthogonal", CNN, SMALL, weight="orthogonal_relu"),
    healthy("vgg elu", CNN, SMALL, weight="he", act="elu"),
    healthy("lenet tanh", "plain:LeNet", IMAGE),
    healthy("lenet relu", "plain:LeNet", IMAGE, act="relu"),
    healthy("alexnet", "plain:AlexNet", IMAGE),
    healthy("alexnet he", "plain:AlexNet", IMAGE, weight="he", bias=0.0),
    healthy("retina head", "plain:Detector", SMALL),
    healthy("resnet", RES, SMALL),
    healthy("resnet zero gamma", RES, SMALL, zero_gamma=True),
    healthy("resnet default", RES, SMALL, weight="default"),
    healthy("resnet group norm", RES, SMALL, norm="group"),
    healthy("resnet instance norm", RES, SMALL, norm="instance"),
    healthy("resnet bottleneck", RES, SMALL, bottleneck=True, blocks=8),
    healthy("resnet squeeze", RES, SMALL, squeeze=True),
    healthy("resnet skipinit", RES, SMALL, skipinit=True, blocks=12),
    healthy("densenet", "vision:DenseNet", SMALL),
    healthy("unet", "vision:UNet", SMALL),
    healthy("unet group norm", "vision:UNet", SMALL, norm="group"),
    healthy("unet he", "vision:UNet", SMALL, norm=None, weight="he", bias=0.0),
    healthy("mobilenet", "vision:MobileNet", SMALL),
    healthy("convnext", "vision:ConvNeXt", IMAGE),
    healthy("inception", "vision:Inception", SMALL),
    healthy("vit", "vision:ViT", IMAGE),
    healthy("mixer", "vision:Mixer", IMAGE),
    healthy("pointnet", "vision:PointNet", ("32,40,3",)),
    healthy("lstm", "sequence:Recurrent", TOKENS, "int64"),
    healthy("lstm forget bias", "sequence:Recurrent", TOKENS, "int64", forget=1.0, layers=2),
    healthy("bilstm", "sequence:Recurrent", TOKENS, "int64", both=True),
    healthy("gru", "sequence:Recurrent", TOKENS, "int64", kind="GRU"),
    healthy("rnn orthogonal", "sequence:Cell", SERIES),
    healthy("rnn identity", "sequence:Cell", SERIES, act="relu", recurrent="identity", weight="normal 0.1", bias=0.0),
    healthy("gpt", GPT, TOKENS, "int64"),
    healthy("gpt deep", GPT, TOKENS, "int64", depth=8),
    healthy("gpt untied", GPT, TOKENS, "int64", tied=False),
    healthy("gpt default", GPT, TOKENS, "int64", std=None, tied=False),
    healthy("llama", GPT, TOKENS, "int64", rms=True, act="silu", tied=False, scaled=False),
    healthy("bert", GPT, TOKENS, "int64", norm="post", scaled=False),
    healthy("translator", "sequence:Translator", TOKENS, "int64"),
    healthy("temporal convolutions", "sequence:TemporalConvolutions", SERIES),
    healthy("text cnn", "sequence:TextCNN", TOKENS, "int64"),
    healthy("pointer", "sequence:Pointer", TOKENS, "int64"),
    healthy("experts", "sequence:Experts", ("32,32",)),
    healthy("autoencoder", "generative:Autoencoder"),
    healthy("autoencoder default", "generative:Autoencoder", weight="default", bias=None),
    healthy("autoencoder tanh", "generative:Autoencoder", act="tanh", weight="xavier"),
    healthy("variational", "generative:Autoencoder", variational=True),
    healthy("dcgan generator", "generative:Generator", gain=1.0),
    healthy("dcgan critic", "generative:Critic", IMAGE),
    healthy("wgan critic", "generative:Critic", IMAGE, weight="he_leaky", norm="layer"),
    healthy("realnvp", "generative:Coupling", ("32,32",)),
    healthy("glow", "generative:Coupling", ("32,32",), orthogonal=True),
    healthy("boltzmann", "generative:Boltzmann"),
    healthy("denoiser", "generative:Denoiser", SMALL),
    healthy("siren", "generative:Siren", ("32,2",)),
    healthy("nerf", "generative:Radiance", ("32,3",)),
    healthy("equalized", "generative:Equalized"),
    healthy("made", "generative:Masked", ("32,16",)),
    healthy("gcn", "other:GraphConvolutions", ("32,20,32",)),
    healthy("gat", "other:GraphAttention", ("32,20,32",)),
    healthy("gin", "other:Isomorphism", ("32,20,32",)),
    healthy("dqn", "other:Pixels", ("32,4,64,64",)),
    healthy("dqn dueling", "other:Pixels", ("32,4,64,64",), weight="orthogonal_relu", bias=0.0, dueling=True),
    healthy("ppo", "other:Actor", ("32,24",)),
    healthy("recommender", "other:Recommender", ("32,2",), "int64"),
    healthy("factorization", "other:Factorization", ("32,6",), "int64"),
    healthy("deep sets", "other:Sets", ("32,10,8",)),
    healthy("perceiver", "other:Perceiver", ("32,10,32",)),
    healthy("lora", "other:Adapted"),
    healthy("byol", "other:Twin", ("32,32",)),
    healthy("physics", "other:Physics", ("32,2",)),
    healthy("state space", "other:StateSpace", SERIES),
)

FADES, GROWS = "INI408 INI701 INI703", "INI407 INI702 INI705"

BROKEN = (
    *(broken(f"mlp default {n}", "INI408", MLP, depth=n) for n in (10, 12, 16, 20, 30, 50)),
    broken("mlp default wide 16", "INI408", MLP, depth=16, width=128),
    broken("mlp default leaky 20", "INI408", MLP, depth=20, act="leaky"),
    broken("mlp default gelu 20", FADES, MLP, depth=20, act="gelu"),
    broken("mlp default silu 16", FADES, MLP, depth=16, act="silu"),
    broken("mlp default tanh 20", FADES, MLP, depth=20, act="tanh"),
    broken("mlp default tanh 40", FADES, MLP, depth=40, act="tanh"),
    *(broken(f"mlp xavier {n}", "INI401", MLP, depth=n, weight="xavier") for n in (12, 16, 24, 50)),
    *(
        broken(f"mlp xavier zero bias {n}", "INI401", MLP, depth=n, weight="xavier_uniform", bias=0.0)
        for n in (12, 20, 24, 36)
    ),
    *(broken(f"mlp unit normal {n}", GROWS, MLP, depth=n, weight="normal 1.0", bias=0.0) for n in (4, 6, 12)),
    broken("mlp unit normal default bias", GROWS, MLP, depth=8, weight="normal 1.0"),
    broken("mlp unit normal tanh", "INI407 INI703 INI702", MLP, depth=10, weight="normal 1.0", act="tanh", bias=0.0),
    *(broken(f"mlp normal 0.02 {n}", FADES, MLP, depth=n, weight="normal 0.02", bias=0.0) for n in (4, 6, 12)),
    broken("mlp normal 0.02 default bias", FADES, MLP, depth=8, weight="normal 0.02"),
    broken("mlp normal 0.001", FADES, MLP, depth=4, weight="normal 0.001", bias=0.0),
    broken("mlp truncated", FADES, MLP, depth=10, weight="truncated", bias=0.0),
    broken("mlp constant", "INI501", MLP, depth=3, weight="constant 0.01", bias=0.0),
    broken("mlp constant deep", "INI501", MLP, depth=5, weight="constant 0.1", bias=0.0),
    broken("mlp ones", "INI501", MLP, depth=2, weight="constant 1.0", bias=0.0),
    broken("mlp constant tanh", "INI501", MLP, depth=3, weight="constant 0.02", act="tanh", bias=0.0),
    broken("mlp zeros", "INI501 INI502", MLP, depth=3, weight="constant 0.0", bias=0.0, head="constant 0.0"),
    broken("mlp uniform", "INI702 INI705 INI703", MLP, depth=6, weight="uniform", bias=0.0),
    *(
        broken(f"mlp sigmoid {n}", FADES, MLP, depth=n, act="sigmoid", weight="xavier", bias=0.0)
        for n in (6, 8, 12, 20)
    ),
    broken("mlp sigmoid default", FADES, MLP, depth=10, act="sigmoid"),
    *(broken(f"mlp twice he {n}", "INI702", MLP, depth=n, weight="he_times_2", bias=0.0) for n in (10, 16)),
    *(broken(f"mlp half he {n}", "INI701", MLP, depth=n, weight="he_times_half", bias=0.0) for n in (10, 16)),
    broken("mlp variance for std", FADES, MLP, depth=6, weight="variance_for_std", bias=0.0),
    broken("mlp orthogonal gain 1", FADES, MLP, depth=24, weight="orthogonal", bias=0.0),
    broken("mlp lecun relu", FADES + " INI401", MLP, depth=20, weight="lecun", bias=0.0),
    broken("mlp he tanh", "INI402 INI703", MLP, depth=10, act="tanh", weight="normal 2.0", bias=0.0),
    broken("mlp sure of itself", "INI705", MLP, depth=3, weight="he", bias=0.0, head="normal 1.0", final="log_softmax"),
    broken("mlp sure head", "INI705", MLP, depth=2, weight="he", bias=0.0, head="normal 2.0", final="log_softmax"),
    broken(
        "mlp overflow",
        "INI602 INI702",
        MLP,
        depth=6,
        weight="normal 20.0",
        bias=0.0,
        dtype="float16",
        precision="float16",
    ),
    broken(
        "mlp overflow deep",
        "INI602 INI702",
        MLP,
        depth=12,
        weight="normal 3.0",
        bias=0.0,
        dtype="float16",
        precision="float16",
    ),
    broken("mlp dead biases", "INI704", MLP, depth=3, weight="he", bias=-10.0),
    broken("mlp giant biases", "INI701", MLP, depth=6, weight="he", bias=100.0),
    broken("residual he without norm", "INI702", "plain:Residual", depth=24),
    broken("residual he without norm 16", "INI702", "plain:Residual", depth=16),
    broken("residual unit normal", GROWS, "plain:Residual", depth=6, weight="normal 1.0"),
    broken(
        "vgg default deep", "INI408", CNN, SMALL, plan="16 16 16 M 32 32 32 M 32 32 32 32", weight="default", bias=None
    ),
    broken("vgg xavier deep", "INI401", CNN, SMALL, plan="32 32 32 32 M 32 32 32 32 M 32 32 32 32", weight="xavier"),
    broken("vgg small normal", FADES, CNN, SMALL, weight="normal 0.01"),
    broken("vgg small normal deep", FADES, CNN, SMALL, plan="16 16 M 32 32 32 M 32 32 32", weight="normal 0.01"),
    broken("vgg unit normal", GROWS, CNN, SMALL, weight="normal 1.0"),
    broken("vgg default sigmoid", FADES, CNN, SMALL, weight="xavier", act="sigmoid"),
    broken("vgg wrong fan", "INI405 INI702", CNN, SMALL, weight="wrong_fan"),
    broken("vgg dead", "INI704", CNN, SMALL, bias=-20.0),
    broken("vgg constant", "INI501", CNN, SMALL, weight="constant 0.01"),
    broken("lenet unit normal", GROWS, "plain:LeNet", IMAGE, act="relu", weight="normal 1.0", bias=0.0),
    broken("alexnet small normal", FADES, "plain:AlexNet", IMAGE, weight="normal 0.005", bias=0.0),
    broken("resnet without norm", "INI702", RES, SMALL, norm=None, weight="he", blocks=24),
    broken("unet unit normal", GROWS, "vision:UNet", SMALL, norm=None, weight="normal 1.0", bias=0.0),
    broken("rnn unit normal", GROWS + " INI704", "sequence:Cell", SERIES, act="relu", recurrent="normal 1.0", bias=0.0),
    broken("gpt unit embeddings", "INI705", GPT, TOKENS, "int64", embedding=1.0, width=64),
    broken(
        "gpt unit normal", "INI407 INI702 INI705", GPT, TOKENS, "int64", std=1.0, embedding=1.0, tied=False, norm=None
    ),
    broken(
        "temporal default", "INI408", "sequence:TemporalConvolutions", SERIES, depth=9, weight="default", residual=False
    ),
    broken(
        "temporal small", FADES, "sequence:TemporalConvolutions", SERIES, depth=6, weight="normal 0.02", residual=False
    ),
    broken(
        "autoencoder default deep",
        "INI408",
        "generative:Autoencoder",
        widths=(64, 64, 64, 64, 64, 64, 32),
        weight="default",
        bias=None,
    ),
    broken("autoencoder small", FADES, "generative:Autoencoder", weight="normal 0.02"),
    broken("autoencoder unit normal", GROWS, "generative:Autoencoder", weight="normal 1.0", widths=(64, 64, 64, 32)),
    broken("generator without norm", FADES, "generative:Generator", norm=False),
    broken("critic small", FADES, "generative:Critic", IMAGE, weight="normal 0.005", norm=None),
    broken("generator gains around zero", "INI506", "generative:Generator", gain=0.0),
    broken("nerf default without skip", "INI408", "generative:Radiance", ("32,3",), skip=False),
    broken("gcn deep", "INI401 INI701", "other:GraphConvolutions", ("32,20,32",), depth=16),
    broken("gcn unit normal", GROWS, "other:GraphConvolutions", ("32,20,32",), depth=4, weight="normal 1.0"),
    broken("gcn constant", "INI501", "other:GraphConvolutions", ("32,20,32",), weight="constant 0.1"),
    broken("dqn unit normal", GROWS, "other:Pixels", ("32,4,64,64",), weight="normal 1.0", bias=0.0),
    broken("lora both zero", "INI502", "other:Adapted", a="constant 0.0"),
    broken("physics small", FADES, "other:Physics", ("32,2",), weight="normal 0.02", bias=0.0),
    broken("dead layer", "INI704", "faults:Bias", only=1, value=-20.0),
    broken("dead first layer", "INI704", "faults:Bias", only=0, value=-10.0),
    broken("dead everywhere", "INI704", "faults:Bias", value=-4.0),
    broken("drowned", "INI701", "faults:Bias", value=50.0),
    broken("one layer of zeros", "INI501 INI502", "faults:OneLayer", weight="constant 0.0"),
    broken("one layer tiny", "INI701", "faults:OneLayer", weight="normal 0.00001"),
    broken("one layer huge", GROWS, "faults:OneLayer", weight="normal 100.0"),
    broken("raw gain", "INI101", "faults:Raw"),
    broken("half raw gain", "INI102", "faults:Raw", part=True),
    broken("not a number", "INI601", "faults:Written"),
    broken("infinite", "INI601", "faults:Written", value="inf"),
    broken("enormous", "INI602", "faults:Written", value="1e8"),
    broken("clones", "INI503", "faults:Clones"),
    broken("copied heads", "INI503", "faults:Copied", IMAGE),
    broken("padding row", "INI505", "faults:Padding", TOKENS, "int64"),
    broken("padding row uniform", "INI505", "faults:Padding", TOKENS, "int64", scheme="uniform_"),
    broken("gains around zero", "INI506", "faults:Gains"),
    broken("layer norm gains around zero", "INI506", "faults:Gains", kind="LayerNorm", std=0.1),
    broken("derived weight", "INI207", "faults:Derived"),
    broken("derived weight, parametrized", "INI207", "faults:Derived", old=False),
    broken("early apply", "INI209 INI408", "faults:Early"),
    broken("late apply", "INI208 INI702", "faults:Late"),
    broken("unseeded", "INI603", "faults:Unseeded"),
)
