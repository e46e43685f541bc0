"""Item 6: no input is given; what the model says of them is enough, in each broken one, to see what is wrong."""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import LongTensor, nn


def faint(module):
    """Draw every linear layer and convolution so small that eight of them leave nothing."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        nn.init.normal_(module.weight, std=1e-3)  # finds[FaintDocstring|FaintHeadFirst|FaintGraph|FaintSound]: INI701
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Docstring(nn.Module):
    """Pixels of a scanner to a score.

    Shape:
        - Input: :math:`(N, 5, 24, 24)`
    """

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(5, 16, 3, padding=1), nn.ReLU()]
        for _ in range(6):
            layers += [nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.fc = nn.Linear(16 * 24 * 24, 1)

    def forward(self, x):
        """Score scans.

        Args:
            x: tensor of shape (batch, 5, 24, 24)
        """
        return self.fc(self.body(x).flatten(1))


class FaintDocstring(Docstring):
    """The same.

    Shape:
        - Input: :math:`(N, 5, 24, 24)`
    """

    def __init__(self):
        super().__init__()
        self.apply(faint)


class Example(nn.Module):
    """An example of the input is an attribute, as a trainer wants it."""

    def __init__(self, offset=0.0):
        super().__init__()
        self.example_input_array = torch.randn(4, 2, 30)
        self.rnn = nn.LSTM(30, 32, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(32, 64), nn.Linear(64, 1)
        nn.init.constant_(self.fc1.bias, offset)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.rnn(x)[0][:, -1])))


class Annotated(nn.Module):
    """Token ids, by the annotation; a mask that may be left out; a table that comes late."""

    def __init__(self, std=None):
        super().__init__()
        self.proj = nn.Linear(32, 40)
        self.tokens = nn.Embedding(40, 32)
        self.rank_a, self.rank_b = nn.Linear(32, 4, bias=False), nn.Linear(4, 32, bias=False)
        nn.init.zeros_(self.rank_b.weight)  # finds[ZeroAnnotated]: INI502

    def forward(self, input_ids: LongTensor, attention_mask: Optional[torch.Tensor] = None):
        x = self.tokens(input_ids)
        if attention_mask is not None:
            x = x * attention_mask[..., None]
        return self.proj(x + self.rank_b(self.rank_a(x)))


class ZeroAnnotated(Annotated):
    def __init__(self):
        super().__init__()
        nn.init.zeros_(self.rank_a.weight)  # finds[ZeroAnnotated]: INI502


class HeadFirst(nn.Module):
    """The head is defined before the body, which is defined from the last block to the first."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(40, 2)
        self.blocks = nn.ModuleList(nn.Linear(40, 40) for _ in range(8))
        self.stem = nn.Linear(11, 40)

    def forward(self, features):
        x = torch.relu(self.stem(features))
        for block in self.blocks:
            x = torch.relu(block(x))
        return self.head(x)


class FaintHeadFirst(HeadFirst):
    def __init__(self):
        super().__init__()
        self.apply(faint)


class Graph(nn.Module):
    """Nodes and edges, the second by its name."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(9, 32), *(nn.Linear(32, 32) for _ in range(5))])
        self.out = nn.Linear(32, 3)

    def forward(self, x, edge_index):
        source, target = edge_index
        for layer in self.layers:
            x = F.relu(layer(torch.zeros_like(x).index_add_(0, target, x[source]) + x))
        return self.out(x)


class FaintGraph(Graph):
    def __init__(self):
        super().__init__()
        self.apply(faint)


class Sound(nn.Module):
    """Raw audio, without a channel."""

    def __init__(self):
        super().__init__()
        self.front = nn.Conv1d(1, 24, 9, stride=4, padding=4)
        self.convs = nn.ModuleList(nn.Conv1d(24, 24, 3, padding=1) for _ in range(7))
        self.out = nn.Linear(24, 6)

    def forward(self, waveform):
        x = F.relu(self.front(waveform.unsqueeze(1)))
        for conv in self.convs:
            x = F.relu(conv(x))
        return self.out(x.mean(-1))


class FaintSound(Sound):
    def __init__(self):
        super().__init__()
        self.apply(faint)


class Recommender(nn.Module):
    """Ids of a user and an item, each below the rows of its table."""

    def __init__(self, users=50, items=20, dim=16):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        self.mlp = nn.Sequential(nn.Linear(2 * dim, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, user_ids, item_ids):
        return self.mlp(torch.cat([self.user(user_ids), self.item(item_ids)], dim=-1))


class DeadRecommender(Recommender):
    def __init__(self):
        super().__init__()
        nn.init.constant_(self.mlp[0].bias, -12.0)  # finds[DeadRecommender]: INI704


class DeadExample(Example):
    def __init__(self):
        super().__init__()
        self.example_input_array = torch.randn(48, 2, 30)
        nn.init.constant_(self.fc1.bias, -12.0)  # finds[DeadExample]: INI704


MODELS = {
    "Docstring": None,
    "FaintDocstring": None,
    "Example": None,
    "DeadExample": None,
    "Annotated": None,
    "ZeroAnnotated": None,
    "HeadFirst": None,
    "FaintHeadFirst": None,
    "Graph": None,
    "FaintGraph": None,
    "Sound": None,
    "FaintSound": None,
    "Recommender": None,
    "DeadRecommender": None,
}
