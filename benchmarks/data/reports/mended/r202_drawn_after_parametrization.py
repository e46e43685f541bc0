"""A weight that a parametrization computes is initialized in place, and computed again as before."""

import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm

lin1 = nn.Linear(10, 20)
nn.init.uniform_(lin1.weight)
lin1 = weight_norm(lin1)
