"""A reset zeroes the bias of a layer that is made without one."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.word_emb = nn.Embedding(args["dict_size"], args["emb_dim"])
        self.first_utt_gru = nn.GRU(args["emb_dim"], args["first_rnn_hsz"], batch_first=True)
        self.first_resp_gru = nn.GRU(args["emb_dim"], args["first_rnn_hsz"], batch_first=True)
        self.transform_A = nn.Linear(args["first_rnn_hsz"], args["first_rnn_hsz"], bias=False)
        self.out = nn.Linear(args["first_rnn_hsz"], 2)
        self._reset_parameters()

    def _reset_parameters(self):
        stdv = 1.0 / self.transform_A.weight.size(0) ** 0.5
        self.word_emb.weight.data.uniform_(-stdv, stdv)
        self.transform_A.weight.data.uniform_(-stdv, stdv)
        self.out.weight.data.uniform_(-stdv, stdv)
        self.out.bias.data.fill_(0)

    def forward(self, utterance, response):
        u, _ = self.first_utt_gru(self.word_emb(utterance))
        r, _ = self.first_resp_gru(self.word_emb(response))
        return self.out((self.transform_A(u) * r).sum(1))


model = Model({"dict_size": 100, "emb_dim": 20, "first_rnn_hsz": 20})
