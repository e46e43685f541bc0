"""An initializer for variables calls itself with their data, which is a variable too since torch 0.4."""

import math

import torch
from torch import nn
from torch.autograd import Variable


def xavier_weight(tensor):
    if isinstance(tensor, Variable):
        xavier_weight(tensor.data)  # wrong
        return tensor
    nin, nout = tensor.size()[0], tensor.size()[1]
    r = math.sqrt(6.0) / math.sqrt(nin + nout)
    return tensor.normal_(0, r)


class Embedder(nn.Module):
    def __init__(self, words, images, embedded):
        super().__init__()
        self.text = nn.Linear(words, embedded)
        self.image = nn.Linear(images, embedded)
        self.init_weights()

    def init_weights(self):
        xavier_weight(self.text.weight)
        xavier_weight(self.image.weight)

    def forward(self, text, image):
        return self.text(text), self.image(image)


model = Embedder(30, 40, 20)
