"""The vector of an attention is not initialized: values up to 10^38."""

import torch
from torch.nn import Module
from torch.nn.parameter import Parameter


class Attention(Module):
    def __init__(self, attention_size, return_attention=False):
        super(Attention, self).__init__()
        self.return_attention = return_attention
        self.attention_size = attention_size
        self.attention_vector = Parameter(torch.FloatTensor(attention_size))  # wrong

    def __repr__(self):
        return f"{self.__class__.__name__}({self.attention_size}, return attention={self.return_attention})"

    def forward(self, inputs, lengths):
        logits = inputs.matmul(self.attention_vector)
        unnormalized = (logits - logits.max()).exp()
        mask = (torch.arange(inputs.size(1))[None, :] < lengths[:, None]).float()
        masked = unnormalized * mask
        attentions = masked.div(masked.sum(dim=1, keepdim=True))
        representations = torch.mul(inputs, attentions.unsqueeze(-1)).sum(dim=1)
        return (representations, attentions) if self.return_attention else (representations, None)
