"""A layer is given to an initializer of tensors."""

from torch import nn


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.RNN(ninp, nhid)
        self.decoder = nn.Linear(nhid, ntoken)
        self.init_weights()

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder)  # wrong
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, x):
        return self.decoder(self.rnn(self.encoder(x))[0])
