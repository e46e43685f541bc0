"""A helper makes an embedding with a padding index and draws all of it."""

import torch.nn as nn


def WeightNormalizedEmbedding(num_embeddings, embedding_dim, padding_idx):
    m = nn.Embedding(num_embeddings, embedding_dim, padding_idx=padding_idx)
    m.weight.data.normal_(0, 0.1)
    m.weight.data[padding_idx].zero_()
    return m


WeightNormalizedEmbedding(10, 4, 0)
