"""A model is built on the meta device and its checkpoint loaded; the buffers that no checkpoint has stay raw memory."""

import torch
from torch import nn


class RotaryEmbedding(nn.Module):
    def __init__(self, dim, base=10000.0):
        super().__init__()
        inv_freq = 1.0 / base ** (torch.arange(0, dim, 2).float() / dim)
        self.register_buffer("inv_freq", inv_freq, persistent=False)  # wrong

    def forward(self, length):
        angles = torch.outer(torch.arange(length, device=self.inv_freq.device).float(), self.inv_freq)
        return torch.cat([angles, angles], dim=-1)


class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, x, angles):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k = q * angles.cos(), k * angles.cos()
        return x + self.out(nn.functional.scaled_dot_product_attention(q, k, v))


class Model(nn.Module):
    def __init__(self, vocab_size=64, dim=16, layers=2):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, dim)
        self.rotary = RotaryEmbedding(dim)
        self.layers = nn.ModuleList([Layer(dim) for _ in range(layers)])

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        angles = self.rotary(tokens.shape[1])
        for layer in self.layers:
            x = layer(x, angles)
        return x


def load_model(path, device):
    with torch.device("meta"):
        model = Model()
    model.to_empty(device=device)
    model.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    return model


if __name__ == "__main__":
    torch.save(Model().state_dict(), "model.pt")
    print(load_model("model.pt", "cpu")(torch.zeros(1, 4, dtype=torch.long)).mean())
