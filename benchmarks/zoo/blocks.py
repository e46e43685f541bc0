"""What the families share: schemes by name, activations by name, and how a scheme reaches a model."""

import math

from torch import nn
from torch.nn import init

SCHEMES = {
    "default": lambda w: None,
    "xavier": init.xavier_normal_,
    "xavier_uniform": init.xavier_uniform_,
    "xavier_tanh": lambda w: init.xavier_normal_(w, gain=init.calculate_gain("tanh")),
    "xavier_relu": lambda w: init.xavier_uniform_(w, gain=init.calculate_gain("relu")),
    "he": lambda w: init.kaiming_normal_(w, nonlinearity="relu"),
    "he_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_fan_out": lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    "he_leaky": lambda w: init.kaiming_normal_(w, a=0.2, nonlinearity="leaky_relu"),
    "lecun": lambda w: init.kaiming_normal_(w, nonlinearity="linear"),
    "orthogonal": init.orthogonal_,
    "orthogonal_relu": lambda w: init.orthogonal_(w, gain=math.sqrt(2)),
    "truncated": lambda w: init.trunc_normal_(w, std=0.02),
    "uniform": init.uniform_,
    "he_times_2": lambda w: init.normal_(w, std=2 * math.sqrt(2 / w[0].numel())),
    "he_times_half": lambda w: init.normal_(w, std=0.5 * math.sqrt(2 / w[0].numel())),
    "variance_for_std": lambda w: init.normal_(w, std=2 / w[0].numel()),
    "wrong_fan": lambda w: init.normal_(w, std=math.sqrt(2 / w.shape[0])),
}
ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def scheme(name):
    """The initializer of a name; "normal 0.02" and "constant 0.1" have an argument."""
    kind, _, number = str(name).partition(" ")
    if number:
        draw = init.normal_ if kind == "normal" else init.constant_
        return lambda w: draw(w, 0.0, float(number)) if kind == "normal" else draw(w, float(number))
    return SCHEMES[kind]


def initialize(model, weight="default", bias=None):
    """Draw every weight by a scheme; ``bias`` is a number, or None for torch's default."""
    for module in model.modules():
        if isinstance(module, WEIGHTED):
            scheme(weight)(module.weight)
            if bias is not None and module.bias is not None:
                init.constant_(module.bias, bias)
    return model
