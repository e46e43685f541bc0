"""INI410: a fan that is read off the wrong size of a layer's weight, or off some of its sizes."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import NamedFan


class MislabelledFan(Rule[NamedFan]):
    """
    ## What it does
    Reports `fan_in = layer.weight.size(0)`, and `fan_out = layer.weight.size(1)`, for a linear layer or a convolution of torch.
    Reports a product of channels and sides of a kernel that leaves the last side out, as
    `m.kernel_size[0] * m.kernel_size[1] * m.out_channels` does for `nn.Conv3d`.

    ## Why is this bad?
    The weight of `nn.Linear` has shape (out_features, in_features), and that of a convolution begins in the same way. A
    bound or standard deviation that is computed from the wrong size fits the layer only if both sizes are equal. A
    layer from 24 inputs to 256 units, for example, gets weights three times smaller than meant.

    ## Example
    ```python
    def hidden_init(layer):
        fan_in = layer.weight.data.size()[0]
        bound = 1.0 / fan_in**0.5
        return -bound, bound
    ```

    ## Use instead
    ```python
    def hidden_init(layer):
        fan_in = layer.weight.data.size()[1]
        bound = 1.0 / fan_in**0.5
        return -bound, bound
    ```

    ## Known problems
    The layer must be known: by a type test, by the constructor of its class, or because every call in the file passes one. Of a
    function that is given a weight or its sizes, one call in the project has to pass those of `nn.Linear`. A function that names both fans is not reported, since their sum is the same. Transposed convolutions have layout
    (in, out) and are not reported.

    ## References
    - [nn.Linear](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html)
    - Lillicrap et al. 2015, [Continuous control with deep reinforcement learning](https://arxiv.org/abs/1509.02971), whose
      initialization is often copied with this mistake
    """

    code = "INI410"
    name = "mislabelled-fan"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = NamedFan
    invalid = (
        Example(
            source="""
            import numpy as np
            from torch import nn

            def hidden_init(layer):
                fan_in = layer.weight.data.size()[0]
                bound = 1.0 / np.sqrt(fan_in)
                return -bound, bound

            class Actor(nn.Module):
                def __init__(self, states, actions):
                    super().__init__()
                    self.fc1 = nn.Linear(states, 256)
                    self.fc2 = nn.Linear(256, actions)
                    self.reset_parameters()

                def reset_parameters(self):
                    self.fc1.weight.data.uniform_(*hidden_init(self.fc1))
                    self.fc2.weight.data.uniform_(-3e-3, 3e-3)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, (nn.Linear, nn.Conv2d)):
                    fan_out = m.weight.shape[1]
                    m.weight.data.normal_(0, (2 / fan_out) ** 0.5)
            """,
        ),
        Example(
            source="""
            import numpy as np
            import torch
            from torch import nn

            def fanin_init(size, fanin=None):
                fanin = fanin or size[0]
                v = 1.0 / np.sqrt(fanin)
                return torch.empty(size).uniform_(-v, v)

            class Actor(nn.Module):
                def __init__(self, states, actions):
                    super().__init__()
                    self.fc1 = nn.Linear(states, 400)
                    self.fc1.weight.data = fanin_init(self.fc1.weight.data.size())
            """,
        ),
        Example(
            source="""
            import numpy as np
            from torch import nn

            def fanin_init(tensor):
                size = tensor.size()
                if len(size) == 2:
                    fan_in = size[0]
                else:
                    fan_in = np.prod(size[1:])
                bound = 1.0 / np.sqrt(fan_in)
                return tensor.data.uniform_(-bound, bound)

            class Mlp(nn.Module):
                def __init__(self, sizes, hidden_init=fanin_init):
                    super().__init__()
                    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
                        fc = nn.Linear(n_in, n_out)
                        hidden_init(fc.weight)
                        self.add_module(f"fc{i}", fc)
            """,
        ),
        Example(
            source="""
            import math
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Conv3d):
                    n = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                    m.weight.data.normal_(0, math.sqrt(2 / n))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def stdv(size, fanin=None):
                fanin = fanin or size[0]
                return fanin**-0.5

            class Graph(nn.Module):
                def __init__(self, n_in, n_out):
                    super().__init__()
                    self.weight = nn.Parameter(torch.randn(n_in, n_out) * stdv((n_in, n_out)))
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    fan_in = m.weight.size(1)
                    m.weight.data.normal_(0, (2 / fan_in) ** 0.5)
                elif isinstance(m, nn.ConvTranspose2d):
                    fan_in = m.weight.size(0)
                    m.weight.data.normal_(0, (2 / fan_in) ** 0.5)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Graph(nn.Module):
                def __init__(self, n_in, n_out):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n_in, n_out))
                    fan_in = self.weight.size(0)
                    self.weight.data.uniform_(-(fan_in**-0.5), fan_in**-0.5)

                def forward(self, x):
                    return x @ self.weight

            class Sum(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 4)
                    fan_in = self.fc.weight.shape[0]
                    fan_out = self.fc.weight.shape[1]
                    nn.init.normal_(self.fc.weight, std=(2 / (fan_in + fan_out)) ** 0.5)
            """,
        ),
    )

    def check(self, subject: NamedFan) -> Iterator[Finding]:
        if subject.axis is None:
            yield self.finding(
                subject.place,
                f"`{subject.source}` leaves out a side of the kernel, so that the weights are drawn too large; write "
                f"`{subject.other}`",
                evidence=[Evidence(Observer.ANALYZER, "the kernel of the layer has more sides")],
                fix=Fix(
                    Applicability.UNSAFE,
                    f"Replace with `{subject.other}`",
                    remedies=(Replace(place=subject.value, new=subject.other),),
                ),
            )
            return
        if subject.both or (subject.name == "fan_in") == (subject.axis == 1):
            return
        held = "outputs" if subject.axis == 0 else "inputs"
        yield self.finding(
            subject.place,
            f"`{subject.source}` is the number of {held}, not `{subject.name}`: the weight has shape (out, in); "
            f"write `{subject.other}`",
            evidence=[Evidence(Observer.ANALYZER, f"size {subject.axis} of the weight of a torch layer")],
            fix=Fix(
                Applicability.UNSAFE,
                f"Replace with `{subject.other}`",
                remedies=(Replace(place=subject.value, new=subject.other),),
            ),
        )
