"""Sequences are padded with token zero, and the table that embeds them is not told so."""

import torch
from torch import nn


class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, hidden_size, max_positions=64, types=2, dropout=0.1):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden_size)  # wrong
        self.position_embeddings = nn.Embedding(max_positions, hidden_size)
        self.token_type_embeddings = nn.Embedding(types, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids, token_type_ids):
        positions = torch.arange(input_ids.size(1), device=input_ids.device).expand_as(input_ids)
        words = self.word_embeddings(input_ids)
        embeddings = words + self.position_embeddings(positions) + self.token_type_embeddings(token_type_ids)
        return self.dropout(self.norm(embeddings))


class BertModel(nn.Module):
    def __init__(self, vocab_size=100, hidden_size=32, layers=2, heads=4):
        super().__init__()
        self.embeddings = BertEmbeddings(vocab_size, hidden_size)
        layer = nn.TransformerEncoderLayer(hidden_size, heads, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)

    def forward(self, input_ids, token_type_ids):
        return self.encoder(self.embeddings(input_ids, token_type_ids))


PAD = 0
sentences = [torch.tensor([5, 7, 9]), torch.tensor([4, 2])]
batch = nn.utils.rnn.pad_sequence(sentences, batch_first=True, padding_value=PAD)
model = BertModel()
print(model(batch, torch.zeros_like(batch)).shape)
