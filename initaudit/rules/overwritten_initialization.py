"""INI208: a deliberate initialization that a later, general one overwrites."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, PROBE, Example, Rule
from initaudit.subjects.order import Overwritten


class OverwrittenInitialization(Rule[Overwritten]):
    """
    ## What it does
    Reports a constant that a module writes to one of its layers (a zero gate, an identity, a bias) and that an initializer
    of the whole model overwrites later. A mark that should protect a parameter from such an initializer
    (`bias._no_reinit = True`) is reported if nothing in the project reads it; it is a note in an application in which no
    initializer would write that parameter.

    Two statements that write all of the same parameter, one right after the other, are reported too: the second was often
    meant for another parameter, or, where it stands in all branches of an `if`, this was to be an `elif`. So are two
    initializers that one model is given to, the second of which writes all that the first has written. It is a note if
    the weight and the bias of the layer are both written afterwards: the first statement is only left over. A layer that is
    initialized and then, before anything uses it, replaced by a new one is reported too, and so are trained weights that
    are loaded and then drawn anew: `net.load_state_dict(...)`, or a pretrained model of
    torchvision, timm or transformers, before `net.apply(init)` or a loop that initializes its modules.

    ## Why is this bad?
    A gate that should start at zero does not, and the block does not start as the identity that its author wanted.

    ## Example
    ```python
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.gate = nn.Linear(dim, dim)
            nn.init.zeros_(self.gate.weight)


    class Model(nn.Module):
        def __init__(self, dim, depth):
            super().__init__()
            self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
            self.apply(init_weights)  # draws the weight of every nn.Linear
    ```

    ## Use instead
    ```python
    class Model(nn.Module):
        def __init__(self, dim, depth):
            super().__init__()
            self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
            self.apply(init_weights)
            for block in self.blocks:
                nn.init.zeros_(block.gate.weight)
    ```

    ## Known problems
    The probe runs this rule only with `--preview`, because some of the values that it sees overwritten were not meant to stay.
    The analyzer assumes that an initializer that checks for marks, for the class or for the attribute leaves the constant
    alone. Of a part from another file, it reports the first constant, where the model overwrites it. Of loaded weights it
    reports nothing in timm 1.0.31, torch_geometric 2.8.1 and 60 repositories of users.

    ## References
    - [ReZero](https://arxiv.org/abs/2003.04887) and [Goyal et al. 2017](https://arxiv.org/abs/1706.02677) start blocks at zero
    """

    code = "INI208"
    name = "overwritten-initialization"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    trying = PROBE
    subject = Overwritten
    invalid = (
        Example(
            source="""
            from torch import nn

            class Autoencoder(nn.Module):
                def __init__(self, n, hidden):
                    super().__init__()
                    self.encoder = nn.Linear(n, hidden)
                    self.encoder.weight.detach().normal_(0.0, 0.1)
                    self.encoder.bias.detach().zero_()
                    self.decoder = nn.Linear(hidden, n)
                    self.encoder.weight.detach().normal_(0.0, 0.1)
                    self.encoder.bias.detach().zero_()

            class Classifier(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.fc1 = nn.Linear(n, n)
                    nn.init.xavier_uniform_(self.fc1.weight)
                    self.fc2 = nn.Linear(n, 2)
                    nn.init.xavier_uniform_(self.fc1.weight, gain=0.01)

            def init(m):
                if isinstance(m, nn.Linear):
                    m.weight.data.normal_(0.0, 0.02)
                    if m.bias is not None:
                        m.weight.data.normal_(0.0, 0.02)
            """,
            count=3,
        ),
        Example(
            source="""
            from torch import nn

            def orthogonal(gain):
                def init(m):
                    if isinstance(m, nn.Linear):
                        nn.init.orthogonal_(m.weight, gain)
                        m.bias.data.zero_()
                return init

            def small(m):
                if isinstance(m, nn.Linear):
                    m.weight.data.uniform_(-3e-3, 3e-3)
                    m.bias.data.zero_()

            class Actor(nn.Module):
                def __init__(self, n, actions):
                    super().__init__()
                    self.features = nn.Sequential(nn.Linear(n, 64), nn.ELU())
                    self.policy = nn.Linear(64, actions)
                    self.features.apply(orthogonal(1.41))
                    self.features.apply(small)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torchvision import models

            class Segmenter(nn.Module):
                def __init__(self, backbone):
                    super().__init__()
                    self.backbone = backbone
                    self.head = nn.Conv2d(512, 3, 1)
                    for m in self.modules():
                        if isinstance(m, nn.Conv2d):
                            nn.init.kaiming_normal_(m.weight)

            net = Segmenter(models.resnet18(pretrained=True))
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, dim):
                    super().__init__()
                    self.mix = nn.Linear(dim, dim)
                    self.gate = nn.Linear(dim, dim)
                    nn.init.zeros_(self.gate.weight)

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.02)

            class Model(nn.Module):
                def __init__(self, dim=4, depth=2):
                    super().__init__()
                    self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
                    self.apply(init_weights)
            """,
            target="Model",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Mixer(nn.Module):
                def __init__(self, dim):
                    super().__init__()
                    self.dt_proj = nn.Linear(dim, dim)
                    self.dt_proj.bias._no_reinit = True
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.constant_(m.weight, 1)
                    nn.init.constant_(m.weight, 0)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torchvision import models

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.backbone = models.resnet50(pretrained=True)
                    self.head = nn.Linear(1000, 3)
                    self.start()

                def start(self):
                    for m in self.modules():
                        if isinstance(m, nn.Conv2d):
                            nn.init.kaiming_normal_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from transformers import BertModel

            class Tagger(nn.Module):
                def __init__(self, name):
                    super().__init__()
                    self.bert = BertModel.from_pretrained(name)
                    self.head = nn.Linear(768, 3)
                    for name, m in self.named_modules():
                        if isinstance(m, nn.Linear):
                            m.weight.data.normal_(0, 0.02)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            def build(net, path):
                net.load_state_dict(torch.load(path))
                net.apply(init)
                return net
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torchvision import models

            net = models.resnet18(pretrained=True)
            net.fc = nn.Linear(512, 10)
            net = net.cuda()
            for m in net.modules():
                if isinstance(m, (nn.Conv2d, nn.Linear)):
                    nn.init.kaiming_normal_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self, n, h):
                    super().__init__()
                    self.rnn = nn.LSTM(n, h)
                    self.rnn.bias_ih_l0.data[h : h + h] = 1.0
                    self.rnn.bias_hh_l0.data[h : h + h].fill_(1)
                    self.draw()

                def draw(self):
                    for name, p in self.named_parameters():
                        if "weight" in name:
                            nn.init.orthogonal_(p)
                        elif "bias" in name:
                            nn.init.zeros_(p)
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            class Model(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.table = nn.Embedding(n, d)
                    self.head = nn.Linear(d, n, bias=False)
                    self.head.weight.data = self.table.weight.data.clone()
                    self.apply(self._init)

                def _init(self, m):
                    if isinstance(m, (nn.Linear, nn.Embedding)):
                        m.weight.data.normal_(0, 0.02)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def build(path=None):
                net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
                if path is not None:
                    net.load_state_dict(torch.load(path))
                for m in net.modules():
                    if isinstance(m, nn.Linear):
                        nn.init.xavier_uniform_(m.weight)
                return net
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Classifier(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.fc1 = nn.Linear(n, n)
                    nn.init.xavier_uniform_(self.fc1.weight)
                    self.fc2 = nn.Linear(n, 2)
                    nn.init.xavier_uniform_(self.fc2.weight)
                    nn.init.zeros_(self.fc1.bias)

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.orthogonal_(m.weight)
                    nn.init.zeros_(m.bias)

            def convolutions(m):
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight)
                    if m.bias is not None:
                        nn.init.zeros_(m.bias)

            def without_bias(m):
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight)
                    if m.bias is None:
                        nn.init.orthogonal_(m.weight)

            def heads(m):
                if isinstance(m, nn.Linear) and m.out_features == 1:
                    nn.init.zeros_(m.weight)
                    nn.init.zeros_(m.bias)

            def weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            def start(actor, critic):
                actor.apply(init)
                critic.apply(init)
                actor.apply(convolutions)
                actor.apply(heads)
                actor.apply(weights)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def draw(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            def build(path=None, resume=None):
                net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
                if path is not None:
                    net.load_state_dict(torch.load(path))
                else:
                    net.apply(draw)
                if resume:
                    net.load_state_dict(torch.load(resume))
                    return net
                net.apply(draw)
                return net
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self, n, h):
                    super().__init__()
                    self.rnn = nn.LSTM(n, h)
                    self.out = nn.Linear(h, 1)
                    self.rnn.bias_ih_l0.data[h : 2 * h] = 1.0
                    for name, p in self.rnn.named_parameters():
                        if "weight" in name:
                            nn.init.orthogonal_(p)
                    for name, p in self.out.named_parameters():
                        if "bias" in name:
                            nn.init.zeros_(p)
                    self.rnn.bias_hh_l0.data[h : 2 * h] = 1.0
                    for name, p in self.named_parameters():
                        if "bias" in name:
                            nn.init.zeros_(p)
                    self.rnn.bias_ih_l0.data[h : 2 * h] = 1.0
                    self.rnn.bias_hh_l0.data[h : 2 * h] = 1.0
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, dim):
                    super().__init__()
                    self.mix = nn.Linear(dim, dim)
                    self.gate = nn.Linear(dim, dim)
                    nn.init.zeros_(self.gate.weight)

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.02)

            class Model(nn.Module):
                def __init__(self, dim=4, depth=2):
                    super().__init__()
                    self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
                    self.apply(init_weights)
                    for block in self.blocks:
                        nn.init.zeros_(block.gate.weight)
            """,
            target="Model",
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.02)
                    if m.bias is not None and not getattr(m.bias, "_no_reinit", False):
                        nn.init.zeros_(m.bias)

            class Mixer(nn.Module):
                def __init__(self, dim=4):
                    super().__init__()
                    self.dt_proj = nn.Linear(dim, dim)
                    nn.init.ones_(self.dt_proj.bias)
                    self.dt_proj.bias._no_reinit = True
                    self.apply(init_weights)
            """,
            target="Mixer",
        ),
        Example(
            source="""
            import torch
            from torch import nn
            from torchvision import models

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            def init_new(m):
                if isinstance(m, nn.Linear) and m.out_features == 7:
                    nn.init.xavier_uniform_(m.weight)

            class Net(nn.Module):
                def __init__(self, pretrained):
                    super().__init__()
                    self.head = nn.Linear(1000, 3)
                    self.other = models.resnet18(weights=None)
                    self.option = models.resnet18(pretrained=pretrained)
                    self.apply(init)
                    self.backbone = models.resnet50(pretrained=True)
                    self.head.apply(init)

            def build(net, other, path):
                net.apply(init)
                net.load_state_dict(torch.load(path))
                net.head.apply(init)
                net.apply(init_new)
                other.load_state_dict(torch.load(path))
                other.apply(init)
                other.load_state_dict(torch.load(path))

            net = models.resnet18(pretrained=True)
            for p in net.parameters():
                p.requires_grad_(False)
            net.fc = nn.Linear(512, 10)
            for m in net.modules():
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)
            """,
        ),
    )

    def check(self, subject: Overwritten) -> Iterator[Finding]:
        if subject.flag is not None:
            message = (
                f"`{subject.source}` should protect a parameter from initializers, but nothing reads `{subject.flag}`"
            )
            detail = f"no file of the project reads `{subject.flag}`"
        else:
            again = subject.again
            where = f" ({again.seen_from(subject.place)})" if again is not None else ""
            done = "loads" if subject.loads else "writes on purpose"
            message = f"`{subject.by}`{where} overwrites what `{subject.source}` {done}"
            message += f" ({subject.wrote.seen_from(subject.place)})" if subject.wrote is not None else ""
            writes = "writes" if subject.observer is Observer.ANALYZER else "wrote"
            detail = f"a general initializer {writes} the parameter afterwards"
        if subject.at_once:
            message = f"`{subject.by}` overwrites all that `{subject.source}` just wrote; "
            another = "was another parameter meant?" if subject.parameter else "was another model meant?"
            message += "the first has no effect" if subject.spare else another
            detail = "nothing reads the parameter between the two statements"
        if subject.branched:
            message = f"all branches of the next `if` overwrite what `{subject.source}` wrote; was `elif` meant?"
        if subject.replaces:
            message = f"`{subject.by}` replaces the layer, and the values that `{subject.source}` wrote are lost; initialize it afterwards"
            detail = "nothing uses the layer between the two statements"
        if subject.left is not None and subject.again is not None:
            first = subject.again.seen_from(subject.place)
            message = f"`{subject.by}` writes once more what {first} wrote; was `{subject.left}` meant, which nothing initializes?"
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(subject.observer, detail)],
            group=subject.left if subject.left and subject.left.startswith("self.") else "",
            severity=Severity.NOTE if subject.spare and not subject.branched else None,
            model=subject.model,
            parameter=subject.parameter,
        )
