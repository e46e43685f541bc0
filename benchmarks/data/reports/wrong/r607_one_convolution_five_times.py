"""An encoder of five convolutions applies one of them again and again, and so does the decoder."""

import torch
import torch.nn as nn


class REDCNN(nn.Module):
    def __init__(self, out_ch=16):
        super().__init__()
        self.conv_first = nn.Conv2d(1, out_ch, kernel_size=5)
        self.conv = nn.Conv2d(out_ch, out_ch, kernel_size=5)
        self.conv_t = nn.ConvTranspose2d(out_ch, out_ch, kernel_size=5)
        self.conv_t_last = nn.ConvTranspose2d(out_ch, 1, kernel_size=5)
        self.relu = nn.ReLU()

    def forward(self, x):
        residual_1 = x.clone()
        out = self.relu(self.conv_first(x))
        out = self.relu(self.conv(out))
        residual_2 = out.clone()
        out = self.relu(self.conv(out))  # wrong
        out = self.relu(self.conv(out))
        residual_3 = out.clone()
        out = self.relu(self.conv(out))
        out = self.conv_t(out)
        out = out + residual_3
        out = self.conv_t(self.relu(out))
        out = self.conv_t(self.relu(out))
        out = out + residual_2
        out = self.conv_t(self.relu(out))
        out = self.conv_t_last(self.relu(out))
        return self.relu(out + residual_1)


model = REDCNN()
print(model(torch.randn(1, 1, 32, 32)).shape)
