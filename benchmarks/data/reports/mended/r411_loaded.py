"""A model is reset after its checkpoint has been loaded."""

import torch
import torch.nn as nn


class FinalProjection(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / self.weight.size(1) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x):
        return x @ self.weight.t()


class Llama(nn.Module):
    def __init__(self, vocab=64, dim=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.final_proj = FinalProjection(dim, vocab)

    def reset_parameters(self):
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.final_proj.reset_parameters()

    def forward(self, x):
        return self.final_proj(self.embedding(x))


def init_model_with_materialized_weights(model, path):
    state_dict = torch.load(path)
    model.reset_parameters()
    model.load_state_dict(state_dict, strict=True)
    return model


if __name__ == "__main__":
    init_model_with_materialized_weights(Llama(), "llama.pt")
