"""Item 5: first losses, as models of many kinds give their outputs."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


class OwnLoss(nn.Module):
    """The forward takes targets, and returns the loss alone."""

    def __init__(self, std=0.01):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(32, 128), nn.LayerNorm(128), nn.ReLU())
        self.decide = nn.Linear(128, 12)
        nn.init.normal_(self.decide.weight, std=std)  # finds[sure_loss]: INI705

    def forward(self, x, target):
        return F.cross_entropy(self.decide(self.trunk(x)), target)


def labelled():
    return torch.randn(64, 32), torch.randint(0, 12, (64,))


def sure_loss():
    return OwnLoss(1.0)


def open_loss():
    return OwnLoss()


class Language(nn.Module):
    """Tied tokens: the table that is looked up also gives the logits."""

    def __init__(self, std=None, vocab=200, dim=128):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)  # finds[tied_default]: INI705
        if std is not None:
            nn.init.normal_(self.wte.weight, std=std)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx, targets=None):
        x = self.wte(idx)
        logits = self.lm_head(self.ln_f(x + self.mlp(x)))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss


def tied_default():
    return Language()


def tied_small():
    return Language(0.02)


class SegNet(nn.Module):
    def __init__(self, num_classes=6, gain=None):
        super().__init__()
        self.num_classes = num_classes
        self.encode = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU())
        self.decode = nn.Sequential(nn.ConvTranspose2d(24, 24, 2, 2), nn.BatchNorm2d(24), nn.ReLU())
        self.score = nn.Conv2d(24, num_classes, 1)
        if gain is not None:
            nn.init.xavier_normal_(self.score.weight, gain=gain)  # finds[sure_pixels]: INI705

    def forward(self, image):
        return {"out": self.score(self.decode(self.encode(image)))}


def sure_pixels():
    return SegNet(gain=8)


def open_pixels():
    return SegNet()


class Tags(nn.Module):
    """Probabilities of several labels at once, rare ones: the bias says so."""

    def __init__(self, num_labels=20, prior=0.01, std=0.01):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(40, 64), nn.GELU())
        self.tags = nn.Linear(64, num_labels)
        nn.init.normal_(self.tags.weight, std=std)
        nn.init.constant_(self.tags.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        return torch.sigmoid(self.tags(self.body(x)))


class Regression(nn.Module):
    """Physical quantities, far from zero: the bias is their mean."""

    def __init__(self, output_dim=3):
        super().__init__()
        self.output_dim = output_dim
        self.net = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.out = nn.Linear(64, output_dim)
        self.out.bias.data = torch.tensor([273.15, 1013.0, 40.0])

    def forward(self, x):
        return self.out(self.net(x))


@dataclass
class Answer:
    logits: torch.Tensor
    hidden: torch.Tensor


class Dictionary(nn.Module):
    """Several outputs in a dictionary, with the logits of two tasks."""

    def __init__(self, std=0.02):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(24, 96), nn.LayerNorm(96), nn.GELU())
        self.topic, self.tone = nn.Linear(96, 7), nn.Linear(96, 3)
        nn.init.normal_(self.topic.weight, std=std)  # finds[sure_dictionary]: INI705
        nn.init.normal_(self.tone.weight, std=0.02)

    def forward(self, x):
        h = self.shared(x)
        return {"topic_logits": self.topic(h), "tone_logits": self.tone(h), "features": h}


def sure_dictionary():
    return Dictionary(1.5)


def open_dictionary():
    return Dictionary()


class DataclassOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.GRU(6, 64, batch_first=True)
        self.classifier = nn.Linear(64, 9)
        nn.init.orthogonal_(self.classifier.weight, gain=50.0)  # finds[DataclassOut]: INI705

    def forward(self, x):
        _, h = self.enc(x)
        return Answer(self.classifier(h[-1]), h[-1])


class Detector(nn.Module):
    """Scores of anchors with a prior of rare objects, and boxes beside them."""

    def __init__(self, nc=8, prior=0.01):
        super().__init__()
        self.nc = nc
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.GroupNorm(8, 32), nn.SiLU())
        self.cls, self.box = nn.Conv2d(32, nc, 1), nn.Conv2d(32, 4, 1)
        nn.init.normal_(self.cls.weight, std=0.01)
        nn.init.constant_(self.cls.bias, -math.log((1 - prior) / prior))

    def forward(self, image):
        x = self.stem(image)
        return self.cls(x), self.box(x)


class Contrast(nn.Module):
    """Two towers and a learned temperature; the logits are the similarities of the batch."""

    def __init__(self, temperature=0.07):
        super().__init__()
        self.left, self.right = nn.Linear(32, 64), nn.Linear(20, 64)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def forward(self, image, text):
        image, text = F.normalize(self.left(image), dim=-1), F.normalize(self.right(text), dim=-1)
        logits = self.logit_scale.exp() * image @ text.T
        return F.cross_entropy(logits, torch.arange(len(image)))


def pairs():
    return torch.randn(32, 32), torch.randn(32, 20)


class Margin(nn.Module):
    """Cosines of features and class centres, times thirty, as faces are told apart: large by design."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.num_classes = num_classes
        self.features = nn.Sequential(nn.Linear(48, 256), nn.BatchNorm1d(256))
        self.centres = nn.Parameter(torch.empty(num_classes, 256))
        nn.init.xavier_uniform_(self.centres)

    def forward(self, x):
        return 30.0 * F.linear(F.normalize(self.features(x)), F.normalize(self.centres))


class Sequence(nn.Module):
    """Log probabilities over tokens at each step, for a loss of alignments."""

    def __init__(self, num_tokens=30, std=None):
        super().__init__()
        self.rnn = nn.GRU(16, 64, batch_first=True, bidirectional=True)
        self.out = nn.Linear(128, num_tokens)
        if std is not None:
            nn.init.normal_(self.out.weight, std=std)  # finds[sure_speech]: INI705

    def forward(self, x):
        return self.out(self.rnn(x)[0]).log_softmax(-1)


def sure_speech():
    return Sequence(std=2.0)


def open_speech():
    return Sequence()


class Policy(nn.Module):
    """Actions of an agent, as a distribution."""

    def __init__(self, n_actions=6, gain=0.01):
        super().__init__()
        self.n_actions = n_actions
        self.trunk = nn.Sequential(nn.Linear(18, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.pi = nn.Linear(64, n_actions)
        nn.init.orthogonal_(self.pi.weight, gain=gain)  # finds[sure_policy]: INI705
        nn.init.zeros_(self.pi.bias)

    def forward(self, observation):
        return torch.distributions.Categorical(logits=self.pi(self.trunk(observation))).probs


def sure_policy():
    return Policy(gain=100.0)


def open_policy():
    return Policy()


MODELS = {
    "sure_loss": "labelled",
    "open_loss": "labelled",
    "tied_default": "int64 32,16",
    "tied_small": "int64 32,16",
    "sure_pixels": "32,3,16,16",
    "open_pixels": "32,3,16,16",
    "Tags": "32,40",
    "Regression": "32,10",
    "sure_dictionary": "32,24",
    "open_dictionary": "32,24",
    "DataclassOut": "32,8,6",
    "Detector": "32,3,32,32",
    "Contrast": "pairs",
    "Margin": "32,48",
    "sure_speech": "32,12,16",
    "open_speech": "32,12,16",
    "sure_policy": "32,18",
    "open_policy": "32,18",
}
