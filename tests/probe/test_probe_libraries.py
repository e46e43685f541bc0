"""Targets that name a model of a library, with stand-ins for the libraries."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")

import torch

from initaudit.probe import Target, TargetError
from initaudit.probe.target.resolve import Resolved, resolve


class BertConfig:
    def __init__(self, width: int = 4) -> None:
        self.width = width


class BertModel(torch.nn.Linear):
    config_class = BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config.width, 3)


class Other(BertConfig):
    """A configuration of which no model is known."""


class Absent(type):
    def __getattr__(cls, name: str) -> Any:
        raise ImportError("\nWaveModel requires the torchaudio library.\n")


class WaveModel(metaclass=Absent):
    """What the library has instead of a model whose packages are not installed."""


def layer(width: int = 4, *, pretrained: bool = True) -> Any:
    assert not pretrained
    return torch.nn.Linear(width, 2)


def detector(weights: str | None = "best", weights_backbone: str | None = "best", width: int = 4) -> Any:
    assert weights is None and weights_backbone is None
    return torch.nn.Linear(width, 1)


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(members)
    return made


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    builders = {"detector": detector}
    models = module("torchvision.models", list_models=lambda: list(builders), get_model_builder=builders.__getitem__)
    for made in (
        module(
            "transformers",
            PreTrainedConfig=BertConfig,
            BertConfig=BertConfig,
            BertModel=BertModel,
            Other=Other,
            WaveModel=WaveModel,
        ),
        module("transformers.models", auto=None),
        module("transformers.models.auto", CONFIG_MAPPING={"bert": BertConfig}, MODEL_MAPPING={BertConfig: BertModel}),
        module(
            "timm",
            is_model=lambda name: name.partition(".")[0] == "layer",
            list_models=lambda: ["layer"],
            model_entrypoint=lambda name: layer,
            create_model=lambda name, **arguments: layer(**arguments),
        ),
        module("torchvision", models=models),
    ):
        monkeypatch.setitem(sys.modules, made.__name__, made)


def resolved(spec: str, **kwargs: Any) -> Resolved:
    return resolve(Target(spec=spec, kwargs=kwargs))


@pytest.mark.parametrize("spec", ["hf:bert", "hf:BertModel", "hf:BertConfig"])
def test_a_model_type_a_class_and_a_configuration_name_the_same_model(spec: str) -> None:
    assert type(resolved(spec).build()) is BertModel
    assert resolved(spec, width=7).build().weight.shape == (3, 7)


def test_a_class_that_a_library_lists_and_does_not_have_is_an_error_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listed(dict):  # type: ignore[type-arg]
        def get(self, key: Any, default: Any = None) -> Any:
            raise ValueError("Could not find BertTextModel")

    monkeypatch.setattr(sys.modules["transformers.models.auto"], "MODEL_MAPPING", Listed())
    with pytest.raises(TargetError, match="transformers cannot give its model 'bert': Could not find BertTextModel"):
        resolved("hf:bert")


def test_releases_that_spell_the_base_class_otherwise_are_built_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = sys.modules["transformers"]
    monkeypatch.delattr(library, "PreTrainedConfig")
    monkeypatch.setattr(library, "PretrainedConfig", BertConfig, raising=False)
    assert type(resolved("hf:BertConfig").build()) is BertModel


def test_it_is_defined_where_its_class_is() -> None:
    assert resolved("hf:bert").place().filename.endswith("test_probe_libraries.py")


@pytest.mark.parametrize("spec", ["timm:layer", "timm:layer.with_a_tag"])
def test_a_model_of_timm_is_built_with_random_weights(spec: str) -> None:
    assert resolved(spec, width=5).build().weight.shape == (2, 5)


def test_a_model_of_torchvision_fetches_neither_its_weights_nor_those_of_its_backbone() -> None:
    assert resolved("torchvision:detector", width=6).build().weight.shape == (1, 6)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("hf:brt", "transformers has no model 'brt'; did you mean 'bert'?"),
        ("hf:Other", "transformers has no model 'Other'"),
        ("hf:WaveModel", "WaveModel requires the torchaudio library."),
        ("timm:lyer", "timm has no model 'lyer'; did you mean 'layer'?"),
        ("torchvision:detecter", "torchvision has no model 'detecter'; did you mean 'detector'?"),
    ],
)
def test_a_name_that_no_library_knows_is_an_error_of_use(spec: str, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint.replace("?", r"\?")):
        resolved(spec)


@pytest.mark.parametrize(
    ("spec", "library"), [("hf:bert", "transformers"), ("timm:layer", "timm"), ("torchvision:detector", "torchvision")]
)
def test_a_library_that_is_missing_is_named_with_the_way_to_install_it(
    spec: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, library)
    monkeypatch.setattr(sys, "meta_path", [])
    with pytest.raises(TargetError, match=f"pip install {library}"):
        resolved(spec)
