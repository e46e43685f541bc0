"""A backbone loads its checkpoint where it is made, and the program that trains it initializes it afterwards."""

import torch
from torch import nn


class VisionTransformer(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, patches=16):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, 4, stride=4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + 1, dim))
        self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(dim, heads, batch_first=True) for _ in range(depth)])
        self.init_weights()

    def init_weights(self):
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x


class VisionBackbone(VisionTransformer):
    def __init__(self, checkpoint=None, **kwargs):
        self.checkpoint = checkpoint
        super().__init__(**kwargs)

    def init_weights(self):
        super().init_weights()
        if self.checkpoint is not None:
            self.load_state_dict(torch.load(self.checkpoint, weights_only=True))


class Segmentor(nn.Module):
    def __init__(self, backbone, num_classes=19, dim=32):
        super().__init__()
        self.backbone = backbone
        self.decode_head = nn.Linear(dim, num_classes)

    def init_weights(self):
        self.backbone.init_weights()
        nn.init.normal_(self.decode_head.weight, std=0.01)
        nn.init.zeros_(self.decode_head.bias)

    def forward(self, x):
        return self.decode_head(self.backbone(x)[:, 1:])


def train(model, batches):
    model.init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for images, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images).transpose(1, 2), labels).backward()
        optimizer.step()


if __name__ == "__main__":
    model = Segmentor(VisionBackbone("dinov2_vits14.pth"))
    train(model, [(torch.randn(2, 3, 16, 16), torch.randint(19, (2, 16)))])
