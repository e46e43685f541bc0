"""Item 4: units and factors that stay as they are, and copies; and what only looks so."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


class Dense(nn.Module):
    """A linear layer of one's own."""

    def __init__(self, fan_in, fan_out, fill=None):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(fan_in, fan_out) / fan_in**0.5)
        self.offset = nn.Parameter(torch.zeros(fan_out))
        if fill is not None:
            nn.init.constant_(self.kernel, fill)  # finds[zero_adapter]: INI502 finds[equal_dense]: INI501

    def forward(self, x):
        return x @ self.kernel + self.offset


class Adapter(nn.Module):
    """A bottleneck beside a layer, behind which the head starts at zero."""

    def __init__(self, both=True):
        super().__init__()
        self.base = Dense(16, 32)
        self.down, self.up = Dense(32, 4, 0.0 if both else None), Dense(4, 32, 0.0)
        self.head = Dense(32, 3)
        nn.init.zeros_(self.head.kernel)

    def forward(self, x):
        x = torch.relu(self.base(x))
        return self.head(x + self.up(torch.relu(self.down(x))))


def zero_adapter():
    return Adapter()


def sound_adapter():
    return Adapter(False)


def equal_dense():
    return nn.Sequential(Dense(16, 24, 0.05), nn.Tanh(), Dense(24, 24, 0.05), nn.Tanh(), Dense(24, 2, 0.05))


class Modulated(nn.Module):
    """A block whose gate comes from a condition, as in diffusion transformers."""

    def __init__(self, also_last=False):
        super().__init__()
        self.inner = nn.Linear(32, 64)
        self.outer = nn.Linear(64, 32)
        self.condition = nn.Linear(8, 32)
        nn.init.zeros_(self.condition.weight)  # finds[stuck_modulation]: INI502
        nn.init.zeros_(self.condition.bias)  # finds[stuck_modulation]: INI502
        if also_last:
            nn.init.zeros_(self.outer.weight)  # finds[stuck_modulation]: INI502
            nn.init.zeros_(self.outer.bias)  # finds[stuck_modulation]: INI502
        self.norm = nn.LayerNorm(32, elementwise_affine=False)

    def forward(self, x, condition):
        return x + self.condition(condition)[:, None] * self.outer(F.gelu(self.inner(self.norm(x))))


class Denoiser(nn.Module):
    def __init__(self, also_last=False):
        super().__init__()
        self.enter = nn.Linear(12, 32)
        self.blocks = nn.ModuleList(Modulated(also_last) for _ in range(3))
        self.leave = nn.Linear(32, 12)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x, condition):
        x = self.enter(x)
        for block in self.blocks:
            x = block(x, condition)
        return self.leave(x)


def noisy():
    return torch.randn(32, 10, 12), torch.randn(32, 8)


def stuck_modulation():
    return Denoiser(True)


def adaptive_zero():
    return Denoiser()


class ReZero(nn.Module):
    """A residual weight at zero; and, or not, a last normalization whose gain is zero, too."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        nn.init.constant_(self.bn.weight, gain)  # finds[twice_zero]: INI502
        self.alpha = nn.Parameter(torch.zeros(()))  # finds[twice_zero]: INI502

    def forward(self, x):
        return x + self.alpha * self.bn(self.conv(x)).relu()


def residual(gain):
    return nn.Sequential(nn.Conv2d(3, 8, 1), *[ReZero(gain) for _ in range(3)], nn.Flatten(), nn.Linear(8 * 64, 4))


def rezero():
    return residual(1.0)


def twice_zero():
    return residual(0.0)


class Experts(nn.Module):
    """Experts that are copies of the first, mixed by a router."""

    def __init__(self, count=4, copied=True):
        super().__init__()
        first = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        self.experts = nn.ModuleList(
            copy.deepcopy(first)  # finds[copied_experts]: INI503
            if copied
            else nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
            for _ in range(count)
        )
        self.router = nn.Linear(16, count)

    def forward(self, x):
        shares = self.router(x).softmax(-1)
        return sum(shares[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))


def copied_experts():
    return Experts()


def own_experts():
    return Experts(copied=False)


def q_network():
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


class Twins(nn.Module):
    """Two critics that are to differ, and their targets, that are not."""

    def __init__(self, copied=True):
        super().__init__()
        self.q1, self.q2 = q_network(), q_network()
        if copied:
            self.q2.load_state_dict(self.q1.state_dict())  # finds[same_critics]: INI503
        self.target1, self.target2 = copy.deepcopy(self.q1), copy.deepcopy(self.q2)
        for one in (*self.target1.parameters(), *self.target2.parameters()):
            one.requires_grad_(False)

    def forward(self, x):
        with torch.no_grad():
            target = torch.min(self.target1(x), self.target2(x))
        return self.q1(x), self.q2(x), target


def same_critics():
    return Twins()


def twin_critics():
    return Twins(False)


class Aggregate(nn.Module):
    """Means over neighbours, with constant weights or drawn ones."""

    def __init__(self, fan_in, fan_out, constant=False):
        super().__init__()
        self.own, self.near = nn.Linear(fan_in, fan_out), nn.Linear(fan_in, fan_out, bias=False)
        if constant:
            for one in (self.own, self.near):
                one.weight.data.fill_(0.1)  # finds[equal_graph]: INI501
            self.own.bias.data.zero_()

    def forward(self, x, edge_index):
        row, col = edge_index
        total = torch.zeros_like(x).index_add_(0, col, x[row])
        count = torch.zeros(len(x)).index_add_(0, col, torch.ones(len(row))).clamp(min=1)
        return self.own(x) + self.near(total / count[:, None])


class Sage(nn.Module):
    def __init__(self, constant=False):
        super().__init__()
        self.one, self.two = Aggregate(12, 32, constant), Aggregate(32, 4, constant)

    def forward(self, x, edge_index):
        return self.two(torch.tanh(self.one(x, edge_index)), edge_index)


def web():
    return torch.randn(150, 12), torch.randint(0, 150, (2, 500))


def equal_graph():
    return Sage(True)


def drawn_graph():
    return Sage()


class CellOfConstants(nn.Module):
    def __init__(self, fill=True):
        super().__init__()
        self.cell = nn.LSTMCell(8, 24)
        self.out = nn.Linear(24, 3)
        if fill:
            for p in self.parameters():
                nn.init.constant_(p, 0.05)  # finds[equal_cell]: INI501

    def forward(self, x):
        state = None
        for now in x.unbind(1):
            state = self.cell(now, state)
        return self.out(state[0])


def equal_cell():
    return CellOfConstants()


def drawn_cell():
    return CellOfConstants(False)


class Tabular(nn.Module):
    """Categories of unlike cardinality, one table each; the interaction has two factors."""

    def __init__(self, cardinalities=(5, 40, 3), zero=False):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, 8) for n in cardinalities)
        self.left, self.right = nn.Linear(24, 16, bias=False), nn.Linear(24, 16, bias=False)
        nn.init.zeros_(self.left.weight)  # finds[zero_interaction]: INI502
        if zero:
            nn.init.zeros_(self.right.weight)  # finds[zero_interaction]: INI502
        self.linear = nn.Linear(24, 1)
        self.out = nn.Linear(16, 1)

    def forward(self, categories):
        x = torch.cat([table(categories[:, i]) for i, table in enumerate(self.tables)], dim=1)
        return self.linear(x) + self.out(self.left(x) * self.right(x))


def rows():
    return torch.stack([torch.randint(0, n, (64,)) for n in (5, 40, 3)], dim=1)


def zero_interaction():
    return Tabular(zero=True)


def one_zero():
    return Tabular()


class Across(nn.Module):
    """Zeros on both sides of a rectifier: neither side ever moves."""

    def __init__(self, both=True):
        super().__init__()
        self.stem = nn.Linear(20, 32)
        self.before, self.after = nn.Linear(32, 32), nn.Linear(32, 32)
        for one in (self.before, self.after) if both else (self.after,):
            nn.init.zeros_(one.weight)  # finds[zeros_across]: INI502
            nn.init.zeros_(one.bias)  # finds[zeros_across]: INI502
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        x = torch.tanh(self.stem(x))
        return self.head(x + self.after(F.relu(self.before(x))))


def zeros_across():
    return Across()


def zero_after():
    return Across(False)


def repeated():
    block = nn.Sequential(nn.Linear(16, 16), nn.ReLU())
    return nn.Sequential(*[block] * 4, nn.Linear(16, 2))  # finds[repeated]: INI504


def fresh_blocks():
    return nn.Sequential(*[nn.Sequential(nn.Linear(16, 16), nn.ReLU()) for _ in range(4)], nn.Linear(16, 2))


MODELS = {
    "zero_adapter": "32,16",
    "sound_adapter": "32,16",
    "equal_dense": "32,16",
    "stuck_modulation": "noisy",
    "adaptive_zero": "noisy",
    "rezero": "32,3,8,8",
    "twice_zero": "32,3,8,8",
    "copied_experts": "32,16",
    "own_experts": "32,16",
    "same_critics": "32,10",
    "twin_critics": "32,10",
    "equal_graph": "web",
    "drawn_graph": "web",
    "equal_cell": "32,9,8",
    "drawn_cell": "32,9,8",
    "zero_interaction": "rows",
    "one_zero": "rows",
    "zeros_across": "32,20",
    "zero_after": "32,20",
    "repeated": "32,16",
    "fresh_blocks": "32,16",
}
