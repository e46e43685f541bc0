"""Words without a vector get Xavier's values, one vector of numbers at a time."""

import torch
import torch.nn as nn
from torch.nn import init
from torchtext import data
from torchtext.vocab import Vectors


def load_data(train_path, vector_path):
    TEXT = data.Field(sequential=True, fix_length=200)
    LABEL = data.Field(sequential=False, use_vocab=False)
    train = data.TabularDataset(train_path, "csv", [("text", TEXT), ("label", LABEL)])
    vectors = Vectors(name=vector_path, cache=".vector_cache")
    vectors.unk_init = lambda vector: init.normal_(vector, std=0.1)
    TEXT.build_vocab(train, vectors=vectors, min_freq=5)
    return data.BucketIterator(train, batch_size=64, sort_key=lambda x: len(x.text)), TEXT.vocab.vectors


class TextCNN(nn.Module):
    def __init__(self, vectors, num_classes=19, channels=64):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.conv = nn.Conv1d(vectors.size(1), channels, 3, padding=1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, text):
        x = torch.relu(self.conv(self.embedding(text).transpose(1, 2)))
        return self.fc(x.amax(-1))


if __name__ == "__main__":
    batches, vectors = load_data("train_set.csv", "emb/word_300.txt")
    model = TextCNN(vectors)
    for batch in batches:
        model(batch.text.t())
