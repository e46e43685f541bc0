"""Networks on graphs: a ring with chords, given by its edges."""

import torch
import torch.nn.functional as F
from torch import nn

from zoo.blocks import initialize


def edges(nodes):
    """Both directions of a ring and of every third chord; shape (2, edges)."""
    here = torch.arange(nodes)
    pairs = torch.cat([torch.stack([here, here.roll(1)]), torch.stack([here, here.roll(3)])], 1)
    return torch.cat([pairs, pairs.flip(0)], 1)


class Graph(nn.Module):
    """What the others share: a batch of graphs of shape (batch, nodes, width), and their edges."""

    def __init__(self, nodes=20):
        super().__init__()
        self.register_buffer("source", edges(nodes)[0])
        self.register_buffer("target", edges(nodes)[1])

    def gathered(self, messages, like):
        """The mean of the messages that reach each node."""
        return torch.zeros_like(like).index_add(1, self.target, messages) / 4


class Messages(Graph):
    """Messages of pairs of nodes, and an update that adds, replaces or gates."""

    def __init__(self, depth=3, width=32, update="add", norm=False, weight="default", bias=None):
        super().__init__()
        self.speak = nn.ModuleList(nn.Sequential(nn.Linear(2 * width, width), nn.ReLU()) for _ in range(depth))
        self.hear = nn.ModuleList(
            nn.GRUCell(width, width) if update == "gate" else nn.Linear(2 * width, width) for _ in range(depth)
        )
        initialize(self, weight, bias)
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(depth))
        self.update, self.head = update, nn.Linear(width, 7)

    def forward(self, h):
        for speak, hear, norm in zip(self.speak, self.hear, self.norms):
            x = norm(h)
            got = self.gathered(speak(torch.cat([x[:, self.source], x[:, self.target]], -1)), x)
            if self.update == "gate":
                h = hear(got.flatten(0, 1), h.flatten(0, 1)).view_as(h)
            else:
                new = F.relu(hear(torch.cat([x, got], -1)))
                h = h + new if self.update == "add" else new
        return self.head(h.mean(1))


class Chebyshev(Graph):
    """Polynomials of the Laplacian, one matrix for each power."""

    def __init__(self, depth=3, width=32, order=3, weight="he"):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(order * width, width) for _ in range(depth))
        initialize(self, weight, 0.0)
        self.order, self.head = order, nn.Linear(width, 7)

    def forward(self, h):
        for layer in self.layers:
            powers = [h, self.gathered(h[:, self.source], h)]
            while len(powers) < self.order:
                powers.append(2 * self.gathered(powers[-1][:, self.source], h) - powers[-2])
            h = F.relu(layer(torch.cat(powers, -1)))
        return self.head(h)


class Equivariant(Graph):
    """Features and positions; what moves the positions starts small, as its paper has it."""

    def __init__(self, depth=3, width=32):
        super().__init__()
        self.embed = nn.Linear(width - 3, width)
        self.edge = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
            for _ in range(depth)
        )
        self.move = nn.ModuleList(nn.Linear(width, 1, bias=False) for _ in range(depth))
        self.node = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(depth)
        )
        for one in self.move:
            nn.init.xavier_uniform_(one.weight, gain=0.001)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        places, h = x[..., :3], self.embed(x[..., 3:])
        for edge, move, node in zip(self.edge, self.move, self.node):
            apart = places[:, self.source] - places[:, self.target]
            said = edge(torch.cat([h[:, self.source], h[:, self.target], apart.square().sum(-1, keepdim=True)], -1))
            places = places + self.gathered(apart * move(said), places)
            h = h + node(torch.cat([h, self.gathered(said, h)], -1))
        return self.head(h.sum(1)), places


class GraphTransformer(Graph):
    """Attention with a learned bias for neighbours."""

    def __init__(self, depth=3, width=32, heads=4, norm=True):
        super().__init__()
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2 * depth))
        self.near, self.heads = nn.Parameter(torch.zeros(depth, heads)), heads
        self.head = nn.Linear(width, 7)

    def forward(self, x):
        close = torch.zeros(x.shape[1], x.shape[1]).index_put((self.source, self.target), torch.tensor(1.0))
        for i, (qkv, out, mlp) in enumerate(zip(self.qkv, self.out, self.mlp)):
            q, k, v = qkv(self.norms[2 * i](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            mask = self.near[i][:, None, None] * close
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(len(x), -1, -1, -1))
            x = x + out(y.transpose(1, 2).flatten(-2))
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.head(x.mean(1))


class Triples(nn.Module):
    """Embeddings of entities and relations, scored against all entities."""

    def __init__(self, entities=50, relations=8, width=32, std=None):
        super().__init__()
        self.entities, self.relations = nn.Embedding(entities, width), nn.Embedding(relations, width)
        for table in (self.entities, self.relations):
            nn.init.xavier_uniform_(table.weight) if std is None else nn.init.normal_(table.weight, std=std)

    def forward(self, pairs):
        return (self.entities(pairs[:, 0]) * self.relations(pairs[:, 1] % 8)) @ self.entities.weight.t()
