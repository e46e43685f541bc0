"""An optimizer is given a multiple of the tensor that requires a gradient."""

import argparse

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--ipc", type=int, default=1)
parser.add_argument("--lr_img", type=float, default=0.1)
args = parser.parse_args()

num_classes, channel, im_size = 10, 3, (32, 32)
image_syn = torch.randn(size=(num_classes * args.ipc, channel, im_size[0], im_size[1]), dtype=torch.float)
image_syn = (image_syn * 0.01).requires_grad_(True)
optimizer_img = torch.optim.SGD([image_syn], lr=args.lr_img, momentum=0.5)

for it in range(10):
    loss = image_syn.pow(2).mean()
    optimizer_img.zero_grad()
    loss.backward()
    optimizer_img.step()
