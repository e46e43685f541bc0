"""An embedding with a padding index gets a new table without one."""

import torch
import torch.nn as nn

e = nn.Embedding(3, 2, padding_idx=0)
e.weight = nn.Parameter(torch.rand(3, 2))  # wrong
print(e(torch.tensor([0, 1])))
