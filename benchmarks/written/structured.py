"""Models of graphs, sets, tables and recommendations, policies and values, and equations."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class GCNConv(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(cin, cout))
        self.bias = nn.Parameter(torch.empty(cout))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x, edge_index):
        row, col = edge_index
        degree = torch.ones(len(x), dtype=x.dtype, device=x.device).index_add(
            0, col, torch.ones_like(col, dtype=x.dtype)
        )
        norm = degree.rsqrt()
        h = x @ self.weight
        message = h[row] * (norm[row] * norm[col])[:, None]
        return (h / degree[:, None]).index_add(0, col, message) + self.bias


class GATConv(nn.Module):
    def __init__(self, cin, cout, heads):
        super().__init__()
        self.heads, self.cout = heads, cout
        self.lin = nn.Linear(cin, heads * cout, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, cout))
        self.att_dst = nn.Parameter(torch.empty(1, heads, cout))
        nn.init.xavier_uniform_(self.lin.weight)
        nn.init.xavier_uniform_(self.att_src)
        nn.init.xavier_uniform_(self.att_dst)

    def forward(self, x, edge_index):
        row, col = edge_index
        h = self.lin(x).view(-1, self.heads, self.cout)
        score = F.leaky_relu((h * self.att_src).sum(-1)[row] + (h * self.att_dst).sum(-1)[col], 0.2)
        score = torch.exp(score - score.max())
        total = torch.zeros(len(x), self.heads, dtype=x.dtype, device=x.device).index_add(0, col, score)
        alpha = score / (total[col] + 1e-16)
        out = torch.zeros_like(h).index_add(0, col, h[row] * alpha[..., None])
        return out.flatten(1)


class GraphNet(nn.Module):
    """Kipf and Welling, 2017, and Velickovic et al., 2018, one behind the other."""

    def __init__(self, features=128, hidden=64, classes=7, heads=4):
        super().__init__()
        self.conv1 = GCNConv(features, hidden)
        self.conv2 = GATConv(hidden, hidden // heads, heads)
        self.conv3 = GCNConv(hidden, classes)

    def forward(self, x, edge_index):
        x = F.relu(self.conv1(x, edge_index))
        x = F.elu(self.conv2(x, edge_index))
        return self.conv3(x, edge_index)


class NoisyLinear(nn.Module):
    def __init__(self, fan_in, fan_out, sigma=0.5):
        super().__init__()
        self.weight_mu = nn.Parameter(torch.empty(fan_out, fan_in))
        self.weight_sigma = nn.Parameter(torch.empty(fan_out, fan_in))
        self.bias_mu = nn.Parameter(torch.empty(fan_out))
        self.bias_sigma = nn.Parameter(torch.empty(fan_out))
        self.register_buffer("weight_epsilon", torch.zeros(fan_out, fan_in))
        self.register_buffer("bias_epsilon", torch.zeros(fan_out))
        bound = 1 / math.sqrt(fan_in)
        self.weight_mu.data.uniform_(-bound, bound)
        self.bias_mu.data.uniform_(-bound, bound)
        self.weight_sigma.data.fill_(sigma / math.sqrt(fan_in))
        self.bias_sigma.data.fill_(sigma / math.sqrt(fan_out))
        self.reset_noise()

    def reset_noise(self):
        noise = [torch.randn(n).sign() * torch.randn(n).abs().sqrt() for n in reversed(self.weight_mu.shape)]
        self.weight_epsilon.copy_(noise[1][:, None] * noise[0][None])
        self.bias_epsilon.copy_(noise[1])

    def forward(self, x):
        weight = self.weight_mu + self.weight_sigma * self.weight_epsilon
        return F.linear(x, weight, self.bias_mu + self.bias_sigma * self.bias_epsilon)


class RainbowDQN(nn.Module):
    """Hessel et al., 2018: values of six actions, over 21 atoms."""

    def __init__(self, actions=6, atoms=21):
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.convs = nn.Sequential(
            nn.Conv2d(4, 32, 8, stride=4), nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2), nn.ReLU(),
            nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.value_hidden, self.value_out = NoisyLinear(3136, 256), NoisyLinear(256, atoms)
        self.adv_hidden, self.adv_out = NoisyLinear(3136, 256), NoisyLinear(256, actions * atoms)

    def forward(self, frames):
        x = self.convs(frames)
        value = self.value_out(F.relu(self.value_hidden(x))).view(-1, 1, self.atoms)
        adv = self.adv_out(F.relu(self.adv_hidden(x))).view(-1, self.actions, self.atoms)
        return F.log_softmax(value + adv - adv.mean(1, keepdim=True), dim=2)


def layer_init(layer, std=math.sqrt(2), bias=0.0):
    nn.init.orthogonal_(layer.weight, std)
    nn.init.constant_(layer.bias, bias)
    return layer


class PPOAgent(nn.Module):
    """Schulman et al., 2017: a policy over continuous actions, and a value."""

    def __init__(self, observations=17, actions=6, width=64):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(observations, width)), nn.Tanh(),
            layer_init(nn.Linear(width, width)), nn.Tanh(),
            layer_init(nn.Linear(width, 1), std=1.0),
        )  # fmt: skip
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(observations, width)), nn.Tanh(),
            layer_init(nn.Linear(width, width)), nn.Tanh(),
            layer_init(nn.Linear(width, actions), std=0.01),
        )  # fmt: skip
        self.actor_logstd = nn.Parameter(torch.zeros(1, actions))

    def forward(self, x):
        mean = self.actor_mean(x)
        return mean, self.actor_logstd.expand_as(mean), self.critic(x)


class SACAgent(nn.Module):
    """Haarnoja et al., 2018: a squashed policy, judged by two critics."""

    def __init__(self, observations=17, actions=6, width=256):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(observations, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.mu, self.log_std = nn.Linear(width, actions), nn.Linear(width, actions)
        self.q1, self.q2 = self.critic(observations + actions, width), self.critic(observations + actions, width)
        self.apply(self.weights_init_)

    @staticmethod
    def critic(inputs, width):
        return nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    @staticmethod
    def weights_init_(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight, gain=1)
            nn.init.constant_(m.bias, 0)

    def forward(self, obs):
        h = self.trunk(obs)
        mu, log_std = self.mu(h), self.log_std(h).clamp(-20, 2)
        action = torch.tanh(mu + log_std.exp() * torch.randn_like(mu))
        both = torch.cat([obs, action], 1)
        return action, self.q1(both), self.q2(both)


class MAB(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.fc_q, self.fc_k, self.fc_v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.fc_o = nn.Linear(dim, dim)
        self.ln0, self.ln1 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, q, x):
        b, n, c = q.shape
        split = [
            t.view(b, -1, self.heads, c // self.heads).transpose(1, 2)
            for t in (self.fc_q(q), self.fc_k(x), self.fc_v(x))
        ]
        y = F.scaled_dot_product_attention(*split).transpose(1, 2).reshape(b, n, c)
        o = self.ln0(q + y)
        return self.ln1(o + F.relu(self.fc_o(o)))


class SetTransformer(nn.Module):
    """Lee et al., 2019: induced attention, and pooling by attention."""

    def __init__(self, inputs=3, dim=128, heads=4, inducing=16, seeds=1, classes=40):
        super().__init__()
        self.embed = nn.Linear(inputs, dim)
        self.I = nn.Parameter(torch.empty(2, 1, inducing, dim))
        self.S = nn.Parameter(torch.empty(1, seeds, dim))
        nn.init.xavier_uniform_(self.I)
        nn.init.xavier_uniform_(self.S)
        self.to_inducing = nn.ModuleList([MAB(dim, heads) for _ in range(2)])
        self.from_inducing = nn.ModuleList([MAB(dim, heads) for _ in range(2)])
        self.pool = MAB(dim, heads)
        self.out = nn.Linear(seeds * dim, classes)

    def forward(self, x):
        x = self.embed(x)
        for i in range(2):
            h = self.to_inducing[i](self.I[i].expand(len(x), -1, -1), x)
            x = self.from_inducing[i](x, h)
        return self.out(self.pool(self.S.expand(len(x), -1, -1), x).flatten(1))


class DeepSets(nn.Module):
    """Zaheer et al., 2017: the sum of digits."""

    def __init__(self, digits=10, width=128):
        super().__init__()
        self.embed = nn.Embedding(digits + 1, width, padding_idx=0)
        self.phi = nn.Sequential(nn.Linear(width, width), nn.ELU(), nn.Linear(width, width), nn.ELU())
        self.rho = nn.Sequential(nn.Linear(width, width), nn.ELU(), nn.Linear(width, 1))

    def forward(self, ids):
        h = self.phi(self.embed(ids)) * (ids > 0).unsqueeze(-1)
        return self.rho(h.mean(1))


class GLUBlock(nn.Module):
    def __init__(self, cin, cout, shared=None):
        super().__init__()
        self.fc = shared if shared is not None else nn.Linear(cin, 2 * cout, bias=False)
        self.bn = nn.BatchNorm1d(2 * cout, momentum=0.02)

    def forward(self, x):
        return F.glu(self.bn(self.fc(x)))


def initialize_glu(module, cin, cout):
    nn.init.xavier_normal_(module.weight, gain=math.sqrt((cin + cout) / math.sqrt(cin)))


class TabNet(nn.Module):
    """Arik and Pfister, 2021, with a softmax over the features for each step."""

    def __init__(self, inputs=32, width=32, steps=3, classes=4, gamma=1.3):
        super().__init__()
        self.gamma, self.steps, self.width = gamma, steps, width
        self.norm = nn.BatchNorm1d(inputs)
        shared = nn.Linear(inputs, 4 * width, bias=False)
        initialize_glu(shared, inputs, 4 * width)
        self.first = nn.ModuleList([GLUBlock(inputs, 2 * width, shared) for _ in range(steps + 1)])
        self.second = nn.ModuleList([GLUBlock(2 * width, 2 * width) for _ in range(steps + 1)])
        self.attend = nn.ModuleList([nn.Linear(width, inputs, bias=False) for _ in range(steps)])
        self.attend_bn = nn.ModuleList([nn.BatchNorm1d(inputs) for _ in range(steps)])
        for block in self.second:
            initialize_glu(block.fc, 2 * width, 4 * width)
        for layer in self.attend:
            nn.init.xavier_normal_(layer.weight)
        self.out = nn.Linear(width, classes, bias=False)

    def transformed(self, i, x):
        h = self.first[i](x)
        return (h + self.second[i](h)) * math.sqrt(0.5)

    def forward(self, x):
        x = self.norm(x)
        prior, total = torch.ones_like(x), 0
        a = self.transformed(0, x)[:, self.width :]
        for i in range(self.steps):
            mask = torch.softmax(self.attend_bn[i](self.attend[i](a)) * prior, dim=-1)
            prior = prior * (self.gamma - mask)
            h = self.transformed(i + 1, mask * x * x.shape[1])
            total = total + F.relu(h[:, : self.width])
            a = h[:, self.width :]
        return self.out(total)


class DLRM(nn.Module):
    """Naumov et al., 2019: clicks from numbers and categories."""

    def __init__(self, dense=13, tables=8, rows=1000, dim=32):
        super().__init__()
        self.emb = nn.ModuleList()
        for _ in range(tables):
            table = nn.EmbeddingBag(rows, dim, mode="sum")
            nn.init.uniform_(table.weight, -math.sqrt(1 / rows), math.sqrt(1 / rows))
            self.emb.append(table)
        self.bottom = self.mlp([dense, 128, 64, dim])
        pairs = (tables + 1) * tables // 2
        self.top = self.mlp([dim + pairs, 128, 64, 1])[:-1]

    @staticmethod
    def mlp(sizes):
        layers = []
        for n, m in zip(sizes, sizes[1:], strict=False):
            layer = nn.Linear(n, m)
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2.0 / (m + n)))
            nn.init.normal_(layer.bias, 0.0, math.sqrt(1.0 / m))
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, dense, ids):
        x = self.bottom(dense)
        e = [table(ids[:, i : i + 1]) for i, table in enumerate(self.emb)]
        t = torch.stack([x, *e], 1)
        z = torch.bmm(t, t.transpose(1, 2))
        i, j = torch.tril_indices(t.shape[1], t.shape[1], -1)
        return self.top(torch.cat([x, z[:, i, j]], 1))


class KANLayer(nn.Module):
    def __init__(self, cin, cout, grid=5, order=3):
        super().__init__()
        self.order = order
        step = 2 / grid
        knots = torch.arange(-order, grid + order + 1) * step - 1
        self.register_buffer("knots", knots)
        self.base_weight = nn.Parameter(torch.empty(cout, cin))
        self.spline_weight = nn.Parameter(torch.empty(cout, cin, grid + order))
        nn.init.kaiming_uniform_(self.base_weight, a=math.sqrt(5))
        nn.init.normal_(self.spline_weight, std=0.1 / grid)

    def bases(self, x):
        x, t = x[..., None], self.knots
        b = ((x >= t[:-1]) & (x < t[1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x - t[: -(k + 1)]) / (t[k:-1] - t[: -(k + 1)])
            right = (t[k + 1 :] - x) / (t[k + 1 :] - t[1:-k])
            b = left * b[..., :-1] + right * b[..., 1:]
        return b

    def forward(self, x):
        spline = torch.einsum("nik,oik->no", self.bases(x), self.spline_weight)
        return F.linear(F.silu(x), self.base_weight) + spline


class KAN(nn.Module):
    """Liu et al., 2024."""

    def __init__(self, sizes=(16, 64, 64, 4)):
        super().__init__()
        self.layers = nn.ModuleList([KANLayer(a, b) for a, b in zip(sizes, sizes[1:], strict=False)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class ODEFunc(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, dim)
        )
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, y):
        return self.net(y)


class NeuralODE(nn.Module):
    """Chen et al., 2018: a classifier of points that flow for a unit of time."""

    def __init__(self, inputs=16, dim=64, hidden=64, classes=5, steps=4):
        super().__init__()
        self.steps = steps
        self.encoder = nn.Linear(inputs, dim)
        self.func = ODEFunc(dim, hidden)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        y, h = self.encoder(x), 1 / self.steps
        for _ in range(self.steps):
            k1 = self.func(y)
            k2 = self.func(y + h / 2 * k1)
            k3 = self.func(y + h / 2 * k2)
            k4 = self.func(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return self.head(y)
