"""The name of an activation is looked up, and the key of the table is returned: no branch of the initializer fits it."""

from torch import nn


def activation_name(activation):
    if isinstance(activation, str):
        return activation
    names = {nn.LeakyReLU: "leaky_relu", nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
    for kind, name in names.items():
        if isinstance(activation, kind):
            return kind
    raise ValueError(activation)


def linear_init(module, activation="relu"):
    if module.bias is not None:
        module.bias.data.zero_()
    name = activation_name(activation)
    if name == "leaky_relu":  # wrong
        nn.init.kaiming_uniform_(module.weight, a=activation.negative_slope, nonlinearity="leaky_relu")
    elif name == "relu":
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
    elif name in ("sigmoid", "tanh"):
        nn.init.xavier_uniform_(module.weight, gain=nn.init.calculate_gain(name))


class MLP(nn.Module):
    def __init__(self, size, hidden, out):
        super().__init__()
        self.activation = nn.ReLU()
        self.to_hidden = nn.Linear(size, hidden)
        self.out = nn.Linear(hidden, out)
        linear_init(self.to_hidden, activation=self.activation)

    def forward(self, x):
        return self.out(self.activation(self.to_hidden(x)))


MLP(2, 8, 1)
