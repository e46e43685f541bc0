"""INI232: a network that follows another one by a moving average, and does not start as its copy."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.layers import SeparateTarget


class TargetStartsApart(Rule[SeparateTarget]):
    """
    ## What it does
    Reports a target network, or the copy of a teacher, that follows another network by a moving average of the parameters, if
    the constructor draws the weights of both independently, or draws the other one anew after it was copied.

    ## Why is this bad?
    An average with a share of 0.005 needs hundreds of steps to forget where it started. Until then, the target is a random
    network that has nothing to do with the one that is trained, and what is learned from it is noise.

    ## Example
    ```python
    self.critic = Critic(n)
    self.target = Critic(n)
    ```

    ## Use instead
    ```python
    self.critic = Critic(n)
    self.target = copy.deepcopy(self.critic)
    ```

    ## Known problems
    Only a class that makes both networks itself, and copies the one to the other by an average alone, is judged: any copy of
    all parameters counts as a start. The rule is in preview, since its precision is not known: in 132 repositories of users
    and eight releases it reports nothing.

    ## References
    - Lillicrap et al. 2015, [Continuous control with deep reinforcement learning](https://arxiv.org/abs/1509.02971)
    - [The fix in RLlib](https://github.com/ray-project/ray/pull/45614)
    """

    code = "INI232"
    name = "target-starts-apart"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
    observers = ANALYZER
    subject = SeparateTarget
    invalid = (
        Example(
            source="""
            from torch import nn

            class Agent:
                def __init__(self, n, tau=0.005):
                    self.critic = nn.Linear(n, 1)
                    self.target = nn.Linear(n, 1).eval()
                    self.target.requires_grad_(False)
                    self.tau = tau

                def follow(self):
                    for t, s in zip(self.target.parameters(), self.critic.parameters()):
                        t.data.copy_(self.tau * s.data + (1 - self.tau) * t.data)
            """,
        ),
        Example(
            source="""
            import copy
            from torch import nn

            def draw(m):
                if isinstance(m, nn.Linear):
                    nn.init.orthogonal_(m.weight)

            def soft_update(local, target, tau):
                for own, other in zip(target.parameters(), local.parameters()):
                    own.data.mul_(1 - tau).add_(tau * other.data)

            class Agent:
                def __init__(self, n):
                    self.policy = nn.Linear(n, 1)
                    self.slow = copy.deepcopy(self.policy)
                    self.policy.apply(draw)

                def step(self):
                    soft_update(self.policy, self.slow, 0.01)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import copy
            import torch
            from torch import nn

            class Seeded(nn.Module):
                def __init__(self, n, seed=0):
                    super().__init__()
                    torch.manual_seed(seed)
                    self.fc = nn.Linear(n, 1)

                def forward(self, x):
                    return self.fc(x)

            class Agent:
                def __init__(self, n, tau=0.005):
                    self.critic, self.tau = nn.Linear(n, 1), tau
                    self.copied = copy.deepcopy(self.critic)
                    self.value = nn.Linear(n, 1)
                    self.started = nn.Linear(n, 1)
                    self.follow(self.started, self.value, 1.0)
                    self.loaded = nn.Linear(n, 1)
                    self.loaded.load_state_dict(self.value.state_dict())
                    self.one, self.other = Seeded(n), Seeded(n)

                def follow(self, target, source, tau):
                    for t, s in zip(target.parameters(), source.parameters()):
                        t.data.copy_(tau * s.data + (1 - tau) * t.data)

                def step(self):
                    self.follow(self.copied, self.critic, self.tau)
                    self.follow(self.started, self.value, self.tau)
                    self.follow(self.loaded, self.value, self.tau)
                    self.follow(self.other, self.one, self.tau)

            class Hard:
                def __init__(self, n):
                    self.critic = nn.Linear(n, 1)
                    self.target = nn.Linear(n, 1)

                def sync(self):
                    self.target.load_state_dict(self.critic.state_dict())

                def follow(self):
                    for t, s in zip(self.target.parameters(), self.critic.parameters()):
                        t.data.lerp_(s.data, 0.01)
            """,
        ),
    )

    def check(self, subject: SeparateTarget) -> Iterator[Finding]:
        follows = f"it follows by a moving average at {subject.follows.seen_from(subject.place)}"
        if subject.changed is not None:
            message = (
                f"`{subject.target}` is a copy of `{subject.source}`, which is drawn anew at "
                f"{subject.changed.seen_from(subject.place)}: copy it behind that"
            )
        else:
            message = (
                f"`{subject.target}` follows `{subject.source}` by a moving average, and starts from other weights; write "
                f"`copy.deepcopy({subject.source})`"
            )
        yield self.finding(subject.place, message, evidence=[Evidence(Observer.ANALYZER, follows)])
