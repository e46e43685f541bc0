"""Inputs for a model whose input names and configuration describe them, as in transformers.

What an input is called tells what it is; how large it is stands in the configuration, in one of its parts, or is tried.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from initaudit.probe.record.watch import tensors_in

Named = dict[str, Any]
Maker = Callable[["Configuration", int], torch.Tensor]
"""Makes an input for a batch of so many samples."""

TOKENS, FRAMES, SAMPLES, SIDE = 16, 8, 8000, 64
"""The length of a text, a clip and a sound, and of an image whose size is not said."""
FORMS = 12
"""So many forms of one set of inputs are tried."""


class Configuration:
    """A configuration and its parts: those for text first, since a model's vocabulary is that of its text."""

    def __init__(self, config: Any) -> None:
        parts = [(name, part) for name, part in vars(config).items() if hasattr(part, "to_dict")]
        parts.sort(key=lambda named: not any(word in named[0] for word in ("text", "decoder", "llm")))
        self.said = vars(config)
        self.parts = [Configuration(part) for _, part in parts]
        self.names: dict[str, str] = getattr(config, "attribute_map", None) or {}

    def numbers(self, name: str) -> tuple[int, ...]:
        """A number, or several, as the first part says that says any; else nothing."""
        value = self.said.get(name, self.said.get(self.names.get(name, name)))
        value = value if isinstance(value, list | tuple) else (value,)
        if value and all(isinstance(one, int) and not isinstance(one, bool) for one in value):
            return tuple(value)
        return next(filter(None, (part.numbers(name) for part in self.parts)), ())

    def number(self, *names: str, default: int) -> int:
        """The first number that stands under one of these names."""
        return next((found[0] for name in names if (found := self.numbers(name))), default)

    def special(self) -> set[int]:
        """Tokens that stand for something else than a word."""
        marks = ("_token_id", "_token_index", "_token_ids")
        own = {one for name in self.said if name.endswith(marks) for one in self.numbers(name)}
        return own.union(*(part.special() for part in self.parts))


def tokens(config: Configuration, batch: int) -> torch.Tensor:
    """Words, and an end where there is a mark for it: some models look for it."""
    vocabulary = config.number("vocab_size", default=100)
    words = [one for one in range(vocabulary) if one not in config.special()] or [0]
    length = min(TOKENS, config.number("max_position_embeddings", default=TOKENS))
    chosen = torch.tensor(words)[torch.randint(len(words), (batch, length))]
    end = config.number("eos_token_id", default=-1)
    if 0 <= end < vocabulary:
        chosen[:, -1] = end
    return chosen


def boxes(config: Configuration, batch: int) -> torch.Tensor:
    """Where each word stands on a page: left, top, right, bottom."""
    words = tokens(config, batch).shape
    corner = torch.randint(8, (*words, 2))
    return torch.cat([corner, corner + torch.randint(1, 8, (*words, 2))], dim=-1)


def image(*before: str | int, side: int | None = None) -> Maker:
    """Images, one for a sample; or a clip of them, as long as the configuration says under one of these names."""

    def make(config: Configuration, batch: int) -> torch.Tensor:
        channels = config.number("num_channels", "in_channels", "in_chans", default=3)
        size = config.numbers("image_size")[:2] or (side or SIDE,)
        names = [name for name in before if isinstance(name, str)]
        clip = [one for one in before if isinstance(one, int)] or [config.number(*names, default=FRAMES)]
        return torch.randn(batch, *(clip if before else ()), channels, *(size if len(size) == 2 else size * 2))

    return make


def patches(config: Configuration, batch: int) -> torch.Tensor:
    """Images that are cut into patches, those of all samples in one list; ``grid`` says where they were."""
    side = config.number("patch_size", default=16)
    channels = config.number("num_channels", "in_channels", "in_chans", default=3)
    return torch.randn(batch * 16, channels * config.number("temporal_patch_size", default=1) * side * side)


def grid(config: Configuration, batch: int) -> torch.Tensor:
    """One frame of four by four patches for each sample."""
    return torch.tensor([[1, 4, 4]] * batch)


def sound(config: Configuration, batch: int) -> torch.Tensor:
    """Sounds of one channel."""
    return torch.randn(batch, SAMPLES)


def channelled_sound(config: Configuration, batch: int) -> torch.Tensor:
    """Sounds with a dimension for their channels."""
    return torch.randn(batch, config.number("audio_channels", default=1), SAMPLES)


def _bins(config: Configuration) -> int:
    names = ("num_mel_bins", "input_feat_per_channel", "feature_projection_input_dim", "feature_size", "input_size")
    return config.number(*names, "input_dim", "model_in_dim", default=80)


def _steps(config: Configuration) -> int:
    return 2 * config.number("max_source_positions", default=64)


def spectrum(config: Configuration, batch: int) -> torch.Tensor:
    """A spectrogram whose frequencies come first."""
    return torch.randn(batch, _bins(config), _steps(config))


def frames(config: Configuration, batch: int) -> torch.Tensor:
    """A spectrogram whose time comes first."""
    return torch.randn(batch, config.number("max_length", default=_steps(config)), _bins(config))


def past(*trailing: str) -> Maker:
    """A series as long as the context, and what the longest lag reaches back."""

    def make(config: Configuration, batch: int) -> torch.Tensor:
        lag = max(config.numbers("lags_sequence"), default=0)
        sizes = [config.number(name, default=1) for name in trailing]
        return torch.rand(batch, config.number("context_length", default=TOKENS) + lag, *sizes)

    return make


def future(*trailing: str) -> Maker:
    """What comes after a series."""

    def make(config: Configuration, batch: int) -> torch.Tensor:
        sizes = [config.number(name, default=1) for name in trailing]
        return torch.rand(batch, config.number("prediction_length", default=8), *sizes)

    return make


def ones(config: Configuration, batch: int) -> torch.Tensor:
    """A mask that hides no token."""
    return torch.ones(batch, TOKENS, dtype=torch.int64)


IMAGES: tuple[Maker, ...] = (image(), image(1), image("num_frames", "frames_per_clip"), image(side=224))
CLIPS: tuple[Maker, ...] = (image("num_frames", "frames_per_clip"), patches)
KINDS: dict[str, tuple[Maker, ...]] = {
    "input_ids": (tokens,),
    "decoder_input_ids": (tokens,),
    "bbox": (boxes,),
    "pixel_values": IMAGES,
    "pixel_values_videos": CLIPS,
    "hidden_states": (patches,),
    "image_grid_thw": (grid,),
    "grid_thw": (grid,),
    "video_grid_thw": (grid,),
    "input_values": (sound, channelled_sound, frames),
    "input_features": (spectrum, frames),
    "spectrogram": (frames,),
    "past_values": (past(), past("num_input_channels"), past("input_size")),
    "past_time_features": (past("num_time_features"),),
    "past_observed_mask": (past(),),
    "future_values": (future(),),
    "future_time_features": (future("num_time_features"),),
}
"""What an input is, by its name; several forms where the name leaves it open."""
NEEDED: dict[str, tuple[Maker, ...]] = {"attention_mask": (ones,), "labels": (tokens,)}
"""Inputs that are only given to a model that cannot do without."""
GRIDS = ("image_grid_thw", "grid_thw")
PATCHED = ("pixel_values", "hidden_states")
OTHERWISE = ("pixel_values_videos", "video_grid_thw")
"""What is given in place of another input."""


def configured(model: torch.nn.Module) -> Iterator[Callable[[int], Named]]:
    """What may be given to the model, the most of its inputs first, each as a function of the size of the batch."""
    config = Configuration(model.config)
    main = str(getattr(model, "main_input_name", "input_ids"))
    parameters = inspect.signature(model.forward).parameters
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [name for name, one in parameters.items() if one.default is one.empty and one.kind not in loose]
    known = [name for name in parameters if name in KINDS and name not in OTHERWISE]
    decoder = [name for name in parameters if name == "decoder_input_ids"]
    for names in dict.fromkeys((*needed, *more) for more in (known, (main, *decoder), (main,), ())):
        if names and all(name in KINDS or name in NEEDED for name in names):
            yield from _forms(model, config, tuple(dict.fromkeys(names)))


def _forms(model: torch.nn.Module, config: Configuration, names: tuple[str, ...]) -> Iterator[Callable[[int], Named]]:
    gridded = any(name in GRIDS for name in names)
    makers = [(patches,) if gridded and name in PATCHED else KINDS.get(name) or NEEDED[name] for name in names]
    for chosen in itertools.islice(itertools.product(*makers), FORMS):
        make = functools.partial(_made, config, dict(zip(names, chosen, strict=True)))
        if "input_ids" in names and "pixel_values" in names and hasattr(model, "get_image_features"):
            yield functools.partial(_placed, model, config, make)
        yield make


def _made(config: Configuration, makers: dict[str, Maker], batch: int) -> Named:
    return {name: make(config, batch) for name, make in makers.items()}


def _placed(model: torch.nn.Module, config: Configuration, make: Callable[[int], Named], batch: int) -> Named:
    """Inputs whose text begins with as many marks of an image as the model makes vectors of one."""
    named = make(batch)
    mark = config.number("image_token_id", "image_token_index", default=-1)
    features: Any = model.get_image_features
    taken = inspect.signature(features).parameters
    with torch.no_grad():
        given = {name: value for name, value in named.items() if name in taken and name != "input_ids"}
        found = features(**given)
    found = getattr(found, "pooler_output", found)
    vectors = sum(tensor.numel() // tensor.shape[-1] for tensor in tensors_in(found))
    marks = torch.full((batch, vectors // batch), mark)
    return named | {"input_ids": torch.cat([marks, named["input_ids"]], dim=1)}
