"""Xavier's standard deviation without the brackets around the sum of the fans."""

import math

from torch import nn
from torch.nn.init import _calculate_fan_in_and_fan_out


def xavier_normal_(tensor, gain=1.0):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / fan_in + fan_out)
    return tensor.data.normal_(0, std)  # wrong


xavier_normal_(nn.Linear(20, 30).weight)
