"""Neurons of a trained model are edited in place, which raises: their weights are leaves that require gradients."""

import torch
from torch import nn


class Output(nn.Module):
    def __init__(self, intermediate, hidden):
        super().__init__()
        self.dense = nn.Linear(intermediate, hidden)

    def forward(self, x):
        return self.dense(x)


class Model(nn.Module):
    def __init__(self, layers=2, hidden=16, intermediate=64):
        super().__init__()
        self.embeddings = nn.Embedding(100, hidden)
        self.up = nn.ModuleList(nn.Linear(hidden, intermediate) for _ in range(layers))
        self.output = nn.ModuleList(Output(intermediate, hidden) for _ in range(layers))

    def forward(self, ids):
        states = self.embeddings(ids)
        for up, output in zip(self.up, self.output):
            states = states + output(torch.relu(up(states)))
        return states


def edit(model, neurons, predicted, target, strength):
    old = model.embeddings.weight[predicted]
    new = model.embeddings.weight[target]
    with torch.no_grad():
        for layer, position in neurons:
            model.output[layer].dense.weight[:, position] -= old * strength
            model.output[layer].dense.weight[:, position] += new * strength


edit(Model(), [(0, 3), (1, 7)], 5, 9, 2.0)
