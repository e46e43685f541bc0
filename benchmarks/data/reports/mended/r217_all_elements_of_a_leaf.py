"""All elements of a weight are assigned through a slice while autograd records."""

import numpy as np
import torch
from torch import nn

W = torch.from_numpy(np.ones((4, 3, 1, 1), dtype="float32"))
cconv = nn.Conv2d(3, 4, 1)
cconv.weight.data[:, :, :, :] = W[:, :, :, :]
