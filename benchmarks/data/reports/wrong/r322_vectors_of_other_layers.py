"""A helper gives every layer that is no convolution and no LSTM Xavier's values, vectors included."""

import torch
import torch.nn as nn
import torch.nn.init as init


def initial_parameter(net):
    init_method = init.xavier_normal_

    def weights_init(m):
        if isinstance(m, (nn.Conv2d, nn.Conv1d, nn.Conv3d)):
            init_method(m.weight.data)
            init.normal_(m.bias.data)
        elif isinstance(m, nn.LSTM):
            for w in m.parameters():
                if len(w.data.size()) > 1:
                    init_method(w.data)
                else:
                    init.normal_(w.data)
        elif m is not None and hasattr(m, "weight") and hasattr(m.weight, "requires_grad"):
            init_method(m.weight.data)  # wrong

    net.apply(weights_init)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(self.proj(x))


model = Model()
initial_parameter(model)
model(torch.ones(1, 8))
