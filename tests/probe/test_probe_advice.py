"""What INI101 advises follows from how a forward uses the parameter, and cures it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from initaudit.finding import Change, Severity
from initaudit.probe.audit.audit import Audit
from initaudit.probe.record.poison import control_build
from initaudit.probe.request import Target
from initaudit.probe.target.resolve import Resolved
from tests.probe.conftest import DEFINITION, Seen


class Uses(nn.Module):
    """A model with one raw parameter ``p``, whose use a function says."""

    use: Any = None

    def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 16)
        self.p = nn.Parameter(torch.empty(*shape, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(self.fc(x), self.p)


def audited(attribute: Any, *changes: Change, **kwargs: Any) -> Seen:
    target = Target(spec="model.py:Net", kwargs=kwargs, input_sizes=((32, 8),), changes=changes)
    make = Resolved(target, attribute).build
    audit = Audit(target, make, DEFINITION, control_build(make, target.seed))
    audit.compare()
    audit.follow()
    return Seen(audit.observation())


def spectral(h: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    f = torch.fft.rfft(h.unsqueeze(-1).repeat(1, 1, 8))
    return torch.fft.irfft(torch.einsum("bim,iom->bom", f, p), n=8)


def recurrent(h: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    state = h
    for _ in range(6):
        state = torch.tanh(state @ p + h)
    return state


@pytest.mark.parametrize(
    ("use", "shape", "advice"),
    [
        (lambda h, p: torch.relu(h * p), (16,), "ones_(self.p)"),
        (lambda h, p: h + p * torch.relu(h), (16,), "ones_(self.p)"),
        (lambda h, p: torch.log_softmax(h / p, -1), (1,), "ones_(self.p)"),
        (lambda h, p: h.clamp(min=1e-6).pow(p), (1,), "ones_(self.p)"),
        (lambda h, p: h * torch.tanh(p), (1,), "ones_(self.p)"),
        (lambda h, p: F.layer_norm(h, (16,), p), (16,), "ones_(self.p)"),
        (lambda h, p: F.layer_norm(h, (16,), None, p), (16,), "zeros_(self.p)"),
        (lambda h, p: torch.relu(h + p), (16,), "zeros_(self.p)"),
        (lambda h, p: h * p.exp(), (16,), "zeros_(self.p)"),
        (lambda h, p: h * (1 + p), (16,), "zeros_(self.p)"),
        (lambda h, p: h * torch.sigmoid(p), (16,), "zeros_(self.p)"),
        (lambda h, p: F.prelu(h, p), (1,), "constant_(self.p, 0.25)"),
        (lambda h, p: torch.relu(F.linear(h, p)), (64, 16), 'kaiming_normal_(self.p, nonlinearity="relu")'),
        (
            lambda h, p: torch.relu(h @ p),
            (16, 64),
            'kaiming_normal_(self.p, mode="fan_out", nonlinearity="relu")',
        ),
        (
            lambda h, p: F.leaky_relu(F.linear(h, p)),
            (64, 16),
            'kaiming_normal_(self.p, nonlinearity="leaky_relu")',
        ),
        (
            lambda h, p: torch.tanh(F.linear(h, p)),
            (64, 16),
            'xavier_normal_(self.p, gain=nn.init.calculate_gain("tanh"))',
        ),
        (lambda h, p: F.linear(h, p), (10, 16), "xavier_normal_(self.p)"),
        (recurrent, (16, 16), "xavier_normal_(self.p)"),
        (lambda h, p: torch.relu(torch.einsum("bi,eio->beo", h, p)), (4, 16, 8), "normal_(self.p, std=0.354)"),
        (lambda h, p: spectral(h, torch.view_as_complex(p)), (16, 16, 5, 2), "normal_(self.p, std=0.177)"),
        (
            lambda h, p: torch.relu(F.conv1d(h.unsqueeze(1), p)),
            (8, 1, 3),
            'kaiming_normal_(self.p, nonlinearity="relu")',
        ),
        (lambda h, p: h.unsqueeze(1) + p, (6, 16), "normal_(self.p, std=0.02)"),
        (lambda h, p: torch.cat([p.expand(len(h), -1), h], 1), (1, 16), "normal_(self.p, std=0.02)"),
        (lambda h, p: h + F.embedding((h[:, 0] > 0).long(), p), (2, 16), "normal_(self.p, std=0.02)"),
    ],
)
def test_the_advice_follows_from_the_use_and_cures(use: Any, shape: tuple[int, ...], advice: str) -> None:
    class Net(Uses):
        pass

    Net.use = staticmethod(use)
    make = lambda: Net(*shape)  # noqa: E731
    before = audited(make)
    (finding,) = (one for one in before.findings if one.code == "INI101")
    assert [str(one) for one in finding.advice] == [f"nn.init.{advice}"]
    assert f"nn.init.{advice}" in finding.message
    after = audited(make, Change("p", finding.advice[0]))
    assert [one.code for one in after.findings if one.severity is not Severity.NOTE] == []
    assert after.observation.signal is not None
    assert all(all(layer.gradient) for layer in after.observation.signal.layers)


def test_a_complex_weight_is_advised_a_draw_that_it_takes() -> None:
    class Net(Uses):
        use = staticmethod(spectral)

    (finding,) = audited(lambda: Net(16, 16, 5, dtype=torch.complex64)).findings
    after = audited(lambda: Net(16, 16, 5, dtype=torch.complex64), Change("p", finding.advice[0]))
    assert str(finding.advice[0]) == "nn.init.normal_(self.p, std=0.25)"
    assert after.codes == []


@pytest.mark.parametrize(
    ("name", "shape", "advice"),
    [
        ("bias", (4,), "zeros_"),
        ("gamma", (4,), "ones_"),
        ("pos_embed", (1, 9, 4), "normal_"),
        ("weight", (4,), "ones_"),
        ("weight", (4, 5), "xavier_normal_"),
        ("weight", (3, 4, 5), "normal_"),
        ("theta", (4,), "normal_"),
    ],
)
def test_without_a_forward_name_and_shape_tell(name: str, shape: tuple[int, ...], advice: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_parameter(name, nn.Parameter(torch.empty(*shape)))

    (finding,) = audited(Net).findings
    assert [one.initializer for one in finding.advice] == [advice]


def test_what_is_written_in_part_is_advised_the_same() -> None:
    class Half(Uses):
        use = staticmethod(lambda h, p: torch.relu(F.linear(h, p)))

        def __init__(self) -> None:
            super().__init__(64, 16)
            self.p.data[:8].normal_()

    (finding,) = audited(Half).findings
    assert finding.code == "INI102"
    assert 'or start with `nn.init.kaiming_normal_(self.p, nonlinearity="relu")`' in finding.message
