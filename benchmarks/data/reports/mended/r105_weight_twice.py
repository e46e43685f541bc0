"""The weight is written twice in a row, the bias never."""

from torch import nn


class TransformerModel(nn.Module):
    def __init__(self, ntoken, ninp, nhead, nhid):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(ninp, nhead, nhid), 1)
        self.decoder = nn.Linear(ninp, ntoken)
        self.init_weights()

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, x):
        return self.decoder(self.layers(self.encoder(x)))
