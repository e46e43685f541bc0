"""An output layer that should share the weight of the embedding gets a copy of it."""

import torch
import torch.nn as nn


class Llama3Model(nn.Module):
    def __init__(self, vocab_size=100, emb_dim=32, n_layers=2):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, emb_dim)
        self.trf_blocks = nn.ModuleList([nn.Linear(emb_dim, emb_dim, bias=False) for _ in range(n_layers)])
        self.final_norm = nn.LayerNorm(emb_dim)
        self.out_head = nn.Linear(emb_dim, vocab_size, bias=False)

    def forward(self, in_idx):
        x = self.tok_emb(in_idx)
        for block in self.trf_blocks:
            x = x + torch.relu(block(x))
        return self.out_head(self.final_norm(x))


def assign(left, right, tensor_name="unknown"):
    if left.shape != right.shape:
        raise ValueError(f"Shape mismatch in tensor '{tensor_name}'. Left: {left.shape}, Right: {right.shape}")
    if isinstance(right, torch.Tensor):
        return torch.nn.Parameter(right.clone().detach())
    return torch.nn.Parameter(torch.tensor(right))


def load_weights_into_llama(model, params):
    model.tok_emb.weight = assign(model.tok_emb.weight, params["embed_tokens.weight"], "embed_tokens.weight")
    for i, block in enumerate(model.trf_blocks):
        block.weight = assign(block.weight, params[f"layers.{i}.weight"], f"layers.{i}.weight")
    if "lm_head.weight" in params:
        model.out_head.weight = assign(model.out_head.weight, params["lm_head.weight"], "lm_head.weight")
    else:
        model.out_head.weight = assign(
            model.out_head.weight, params["embed_tokens.weight"], "embed_tokens.weight"
        )  # wrong
        print("Model uses weight tying.")


model = Llama3Model()
params = {"embed_tokens.weight": torch.randn(100, 32)}
params.update({f"layers.{i}.weight": torch.randn(32, 32) for i in range(2)})
load_weights_into_llama(model, params)
print(sum(p.numel() for p in model.parameters()))
