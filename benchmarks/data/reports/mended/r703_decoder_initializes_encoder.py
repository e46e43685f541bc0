"""An autoencoder initializes the encoder twice and the decoder never: lines that were copied."""

import torch
from torch import nn


class Autoencoder(torch.nn.Module):
    def __init__(self, num_features, num_hidden_1):
        super().__init__()

        ### ENCODER
        self.linear_1 = torch.nn.Linear(num_features, num_hidden_1)
        self.linear_1.weight.detach().normal_(0.0, 0.1)
        self.linear_1.bias.detach().zero_()

        ### DECODER
        self.linear_2 = torch.nn.Linear(num_hidden_1, num_features)
        self.linear_2.weight.detach().normal_(0.0, 0.1)
        self.linear_2.bias.detach().zero_()

    def forward(self, x):
        encoded = torch.nn.functional.leaky_relu(self.linear_1(x))
        return torch.sigmoid(self.linear_2(encoded))


model = Autoencoder(784, 32)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(2):
    features = torch.rand(8, 784)
    cost = torch.nn.functional.binary_cross_entropy(model(features), features)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
