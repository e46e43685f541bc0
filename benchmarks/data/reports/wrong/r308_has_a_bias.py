"""Whether a module has a bias is asked by `hasattr`, which a bias of None passes."""

from torch import nn


def xavier_init(module, gain=1, bias=0, distribution="normal"):
    if distribution == "uniform":
        nn.init.xavier_uniform_(module.weight, gain=gain)
    else:
        nn.init.xavier_normal_(module.weight, gain=gain)
    if hasattr(module, "bias"):
        nn.init.constant_(module.bias, bias)  # wrong


class FPN(nn.Module):
    def __init__(self, channels=(8, 16), out=8):
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, out, 1, bias=False) for c in channels])
        self.norm = nn.GroupNorm(2, out)

    def init_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                xavier_init(m, distribution="uniform")

    def forward(self, inputs):
        return [self.norm(conv(x)) for conv, x in zip(self.lateral, inputs)]


fpn = FPN()
fpn.init_weights()
