"""Inputs that nobody gave: those that a model's configuration, or its first layer, tells."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")

import torch
from torch import nn

from initaudit.probe.forward.inputs import BATCH, inputs_for
from initaudit.probe.request import Target, TargetError

TARGET = Target(spec="model.py:Net")


class Config:
    """What configurations look like."""

    attribute_map = {"vocab_size": "n_words"}

    def __init__(self, **settings: Any) -> None:
        vars(self).update(settings)

    def to_dict(self) -> dict[str, Any]:
        return vars(self)


class Described(nn.Module):
    """A model that has a configuration, and says what its main input is called."""

    main_input_name = "input_ids"

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.config = Config(**settings)
        self.weight = nn.Parameter(torch.ones(1))


class Text(Described):
    def forward(self, input_ids: Any = None, attention_mask: Any = None, decoder_input_ids: Any = None) -> Any:
        return input_ids * self.weight + decoder_input_ids


class Pictures(Described):
    main_input_name = "pixel_values"

    def forward(self, pixel_values: Any, labels: Any = None) -> Any:
        _, frames, channels, *sides = pixel_values.shape
        assert (frames, channels, sides) == (5, 4, [16, 16])
        return pixel_values * self.weight


class Both(Described):
    def get_image_features(self, pixel_values: Any) -> Any:
        return torch.ones(len(pixel_values), 3, 7)

    def forward(self, input_ids: Any = None, pixel_values: Any = None) -> Any:
        if pixel_values is not None:
            assert (input_ids == 9).sum() == 3 * len(pixel_values)
        return input_ids * self.weight


class TextAlone(Both):
    def forward(self, input_ids: Any = None, pixel_values: Any = None) -> Any:
        assert pixel_values is None
        return input_ids * self.weight


def named(model: nn.Module) -> dict[str, Any]:
    inputs = inputs_for(model, TARGET)
    assert inputs is not None and inputs[0] == ()
    return inputs[1]


def test_texts_are_words_of_the_vocabulary_that_end_with_its_mark() -> None:
    inputs = named(Text(n_words=20, pad_token_id=0, eos_token_id=7, max_position_embeddings=6))
    assert set(inputs) == {"input_ids", "decoder_input_ids"}
    tokens = inputs["input_ids"]
    assert tokens.shape == (BATCH, 6)
    assert bool((tokens[:, -1] == 7).all())
    assert not {0, 7} & set(tokens[:, :-1].flatten().tolist())
    assert int(tokens.max()) < 20


def test_a_vocabulary_is_that_of_the_part_for_text() -> None:
    inputs = named(Both(audio_config=Config(vocab_size=1000), text_config=Config(vocab_size=12)))
    assert int(inputs["input_ids"].max()) < 12


def test_forms_of_an_input_are_tried_until_one_runs() -> None:
    inputs = named(Pictures(image_size=16, num_channels=4, num_frames=5))
    assert inputs["pixel_values"].shape == (BATCH, 5, 4, 16, 16)


def test_a_text_holds_as_many_marks_of_an_image_as_the_model_makes_vectors_of_it() -> None:
    inputs = named(Both(vocab_size=20, image_token_id=9, image_size=16))
    assert bool((inputs["input_ids"][:, :3] == 9).all())
    assert not bool((inputs["input_ids"][:, 3:] == 9).any())


def test_a_model_that_takes_no_image_here_gets_text() -> None:
    assert set(named(TextAlone(vocab_size=20))) == {"input_ids"}


def test_what_a_model_raises_on_the_likeliest_inputs_is_the_reason() -> None:
    class Stubborn(Described):
        def forward(self, input_ids: Any = None) -> Any:
            raise ValueError(f"no such text: {tuple(input_ids.shape)}")

    with pytest.raises(TargetError, match=r"no such text: \(2, 16\)"):
        inputs_for(Stubborn(), TARGET)


def test_nothing_is_known_of_an_input_with_another_name() -> None:
    class Strange(Described):
        main_input_name = "graph"

        def forward(self, graph: Any) -> Any:
            return graph

    assert inputs_for(Strange(), TARGET) is None


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([nn.Conv2d(3, 2, 3)], (BATCH, 3, 64, 64)),
        ([nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(2 * 24 * 24, 2)], (BATCH, 1, 28, 28)),
        ([nn.Conv1d(6, 2, 3)], (BATCH, 6, 256)),
        ([nn.GRU(5, 4)], (BATCH, 8, 5)),
    ],
)
def test_a_first_layer_tells_the_channels_and_the_sides_are_tried(layers: list[Any], shape: tuple[int, ...]) -> None:
    inputs = inputs_for(nn.Sequential(*layers), TARGET)
    assert inputs is not None
    assert inputs[0][0].shape == shape


def test_the_size_that_a_model_of_timm_names_comes_first() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3))
    model.pretrained_cfg = {"input_size": (3, 16, 16)}  # type: ignore[assignment]
    inputs = inputs_for(model, TARGET)
    assert inputs is not None and inputs[0][0].shape == (BATCH, 3, 16, 16)


def test_finding_out_leaves_running_statistics_as_they_were() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))
    inputs_for(model, TARGET)
    assert bool((model[1].running_mean == 0).all()) and model.training


def test_inputs_have_the_precision_of_the_model() -> None:
    inputs = inputs_for(nn.Sequential(nn.Linear(3, 2)).double(), TARGET)
    assert inputs is not None and inputs[0][0].dtype == torch.float64
