"""The bias of a time step's projection is computed with care and zeroed by the model's initializer."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SS2D(nn.Module):
    def __init__(self, d_model, d_state=8, dt_min=0.001, dt_max=0.1):
        super().__init__()
        self.dt_rank = math.ceil(d_model / 16)
        self.in_proj = nn.Linear(d_model, 2 * d_model)
        self.x_proj = nn.Linear(d_model, self.dt_rank + 2 * d_state)
        self.dt_proj = self.dt_init(self.dt_rank, d_model, dt_min, dt_max)
        self.out_proj = nn.Linear(d_model, d_model)

    @staticmethod
    def dt_init(dt_rank, d_inner, dt_min, dt_max, dt_init_floor=1e-4):
        dt_proj = nn.Linear(dt_rank, d_inner, bias=True)
        dt_init_std = dt_rank**-0.5
        nn.init.uniform_(dt_proj.weight, -dt_init_std, dt_init_std)
        dt = torch.exp(torch.rand(d_inner) * (math.log(dt_max) - math.log(dt_min)) + math.log(dt_min))
        dt = dt.clamp(min=dt_init_floor)
        inv_dt = dt + torch.log(-torch.expm1(-dt))
        with torch.no_grad():
            dt_proj.bias.copy_(inv_dt)  # wrong
        # dt_proj.bias._no_reinit = True
        return dt_proj

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, dim=-1)
        dt = F.softplus(self.dt_proj(self.x_proj(u)[..., : self.dt_rank]))
        return self.out_proj(u * dt * F.silu(z))


class Net(nn.Module):
    def __init__(self, dim=32, depth=2, num_classes=4):
        super().__init__()
        self.embed = nn.Linear(3, dim)
        self.layers = nn.ModuleList([SS2D(dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes)
        self.apply(self._init_weights)

    def _init_weights(self, m: nn.Module):
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=0.02)
            if m.bias is not None:
                nn.init.constant_(m.bias, 0)
        elif isinstance(m, nn.LayerNorm):
            nn.init.constant_(m.bias, 0)
            nn.init.constant_(m.weight, 1.0)

    def forward(self, x):
        x = self.embed(x)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(self.norm(x))


net = Net()
