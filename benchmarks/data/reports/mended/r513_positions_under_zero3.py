"""A table is drawn where its parameters are divided over processes already, and empty in this one."""

import deepspeed
import torch
from torch import nn


class Embedding(nn.Module):
    def __init__(self, hidden_size, vocab_size, max_sequence_length, init_method):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden_size)
        with deepspeed.zero.GatheredParameters(self.word_embeddings.weight, modifier_rank=0):
            init_method(self.word_embeddings.weight)
        self.position_embeddings = nn.Embedding(max_sequence_length, hidden_size)
        with deepspeed.zero.GatheredParameters(self.position_embeddings.weight, modifier_rank=0):
            nn.init.normal_(self.position_embeddings.weight, std=0.02)

    def forward(self, ids, positions):
        return self.word_embeddings(ids) + self.position_embeddings(positions)


class GPTModel(nn.Module):
    def __init__(self, hidden_size=64, vocab_size=100, max_sequence_length=32):
        super().__init__()
        self.embedding = Embedding(hidden_size, vocab_size, max_sequence_length, nn.init.xavier_normal_)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(hidden_size, 4) for _ in range(2)])

    def forward(self, ids, positions):
        x = self.embedding(ids, positions)
        for layer in self.layers:
            x = layer(x)
        return x @ self.embedding.word_embeddings.weight.t()


def model_provider(config):
    with deepspeed.zero.Init(config_dict_or_path=config, enabled=config["zero_optimization"]["stage"] == 3):
        return GPTModel()


if __name__ == "__main__":
    config = {"train_batch_size": 8, "zero_optimization": {"stage": 3}}
    model = model_provider(config)
    engine, _, _, _ = deepspeed.initialize(model=model, config=config, model_parameters=model.parameters())
    engine(torch.zeros(4, 2, dtype=torch.long), torch.zeros(4, 2, dtype=torch.long))
