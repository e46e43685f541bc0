"""Any model class of transformers, built small: ``initaudit probe benchmarks/small.py:BertModel``.

A configuration is shrunk by the names of its fields. First all widths become one width and all stacks one depth, so
that what has to agree still does; where a class does not build like that, widths keep their ratios, and then they stay.
The standard deviation of the weights grows as the width shrinks, so that signals pass as in the released model.
Whatever a configuration derives from other fields it derives anew.
"""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from initaudit.probe import Target
from initaudit.probe.forward.inputs import inputs_for
from initaudit.probe.target.libraries import transformers_model

VOCABULARY = 128
FEW_PARAMETERS = 60_000_000
"""More than this is not small, and takes too long to build half a dozen times."""

Shrink = Callable[[Any], Any]


class Shape:
    """How small to build: the depth of a stack, and what becomes of a width."""

    def __init__(self, layers: int, width: Shrink, heads: Shrink) -> None:
        self.rules = tuple(
            (re.compile(pattern, re.VERBOSE), shrink)
            for pattern, shrink in (
                (VOCABULARIES, at_most(VOCABULARY)),
                (LENGTHS, at_most(128)),
                (CHOSEN, first_of(layers)),
                (STACKS, at_most(layers)),
                (STAGES, at_most(1)),
                (KEY_HEADS, lambda value: value if heads is unchanged else each(value, lambda one: min(one, 2))),
                (r".*heads?", heads),
                (r"(num|n)_.*experts|.*num_experts|n_experts", at_most(4)),
                (r"num_experts_per_tok|.*top_?k|moe_k", at_most(2)),
                (r"n_group|topk_group|first_k_dense_replace", at_most(1)),
                (QUERIES, at_most(8)),
                (r"num_conv_pos_embeddings", at_most(16)),
                (r"num_conv_pos_embedding_groups", at_most(4)),
                (CHANNELS, unchanged),
                (INNER, lambda value: each(value, lambda one: 2 * width(one // 2))),
                (HEAD_WIDTHS, lambda value: each(value, lambda one: width(one * 4) // 4)),
                (WIDTHS, lambda value: each(value, width)),
            )
        )

    def shrink(self, name: str, value: Any) -> Any:
        """What becomes of a field, by the first pattern that matches all of its name."""
        for pattern, shrink in self.rules:
            if pattern.fullmatch(name):
                return shrink(value)
        return value


VOCABULARIES = r".*vocab_size.*|.*_vocab|codebook_size|num_embeddings|n_codes|num_centroids|num_buckets"
LENGTHS = (
    r".*position_embeddings|.*positions|max_pos_emb|n_ctx|context_length|max_seq_len|seq_length|seq_len|max_length"
)
CHOSEN = r".*ind(ex|ic)es|.*_indexes|mlp_only_layers|extract_layers|look_.*_layers"
STACKS = r""".*(hidden|encoder|decoder|attention|dense|[lxr])_layers|(num|n)_.*layers?|layers|n_layers?|depth|.*_depth
    |num_blocks|num_.*blocks|num_self_attends_per_block"""
STAGES = r"depths|num_block_repeats|stage_num.*blocks|stage_numb_of_layers"
KEY_HEADS = r".*(kv|key_value)_(attention_)?heads|linear_num_key_heads"
HEAD_WIDTHS = r".*head_dim|d_kv|head_size|attention_head_size|d_head|dim_head|kv_channels|.*_rank"
QUERIES = r"num_(object_)?queries|num_detection_tokens|num_denoising|num_query_tokens|num_latents|.*num_proposals"
CHANNELS = r"num_channels|in_channels|in_chans|audio_channels|num_input_channels|input_channels"
INNER = r".*(intermediate|feed_?forward)_(size|dim)|.*ffn_(dim|hidden_size)|.*mlp_dim|d_ff|d_inner|dff|dim_f.*"
WIDTHS = r""".*(hidden|embedding|embed|emb|projection|project|proj|feature|feat|model|latent|output|conv)s?
    _?(size|dim)s?|.*hidden_size.*|d_model|n_embd|dim|.*_channels|.*_filters|d_latents|.*_units|width|.*_width"""
TOKEN = re.compile(r".*(_id|_ids|_index|_token)")
MODEL_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "embed_dim")
RANGES = ("initializer_range", "init_std", "initializer_std")
BASES = ("dim_model_base",)
MISSING = {"vocab_size": VOCABULARY, "prediction_length": 8, "vocabulary_map": {"<image>": 9, "<|extra_200|>": 10}}
"""What some classes need, and have no default for."""


def each(value: Any, shrink: Callable[[int], int]) -> Any:
    """A number shrunk, or each one of a list."""
    if isinstance(value, list | tuple):
        return type(value)(each(item, shrink) for item in value)
    return shrink(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value


def at_most(limit: int) -> Shrink:
    return lambda value: each(value, lambda one: min(one, limit))


def first_of(layers: int) -> Shrink:
    """Of chosen layers as many of the first."""

    def shrink(value: Any) -> Any:
        if not isinstance(value, list | tuple) or all(isinstance(one, int) and one < layers for one in value):
            return value
        return type(value)(range(len(value)))

    return shrink


def unchanged(value: Any) -> Any:
    return value


def powers_of_two(limit: int) -> Shrink:
    return lambda value: each(value, lambda one: min(limit, 1 << (one.bit_length() - 1)))


def shapes(config: Any) -> Iterator[Shape]:
    """Smaller and simpler ones first."""
    widths = re.compile(WIDTHS, re.VERBOSE)
    widest = max((value for name, value in fields(config) if widths.fullmatch(name) and is_number(value)), default=1)
    factor = 1 << max((widest // 128).bit_length() - 1, 0)
    for layers in (2, 4):
        yield Shape(layers, at_most(64), powers_of_two(4))
        yield Shape(layers, lambda value: each(value, lambda one: max(one // factor, 1)), unchanged)
    yield Shape(4, unchanged, unchanged)


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def fields(config: Any) -> Iterator[tuple[str, Any]]:
    """The declared fields and their values, without those that are None by default and that other fields decide."""
    for field in dataclasses.fields(config):
        value = vars(config).get(field.name, field.default)
        if value is None and field.name in MISSING:
            yield field.name, MISSING[field.name]
        elif field.init and value is not dataclasses.MISSING and (field.default is not None or not derived(value)):
            yield field.name, value


def derived(value: Any) -> bool:
    return value is None or is_number(value) or isinstance(value, list | tuple)


def small(config: Any, shape: Shape) -> Any:
    """A configuration of the same class."""
    from transformers import PreTrainedConfig

    given: dict[str, Any] = {}
    tokens = iter(range(VOCABULARY - 1, 0, -1))
    layers = next((value for name, value in fields(config) if name == "num_hidden_layers" and is_number(value)), 0)
    for name, value in fields(config):
        if isinstance(value, PreTrainedConfig):
            given[name] = small(value, shape)
        elif TOKEN.fullmatch(name) and is_number(value) and value >= VOCABULARY:
            given[name] = next(tokens)
        elif isinstance(value, list | tuple) and len(value) == layers > 4:  # one for each layer
            given[name] = shape.shrink(name, value)[: shape.shrink("num_hidden_layers", layers)]
        elif isinstance(value, dict):
            given[name] = sections(value, shape)
        else:
            given[name] = "resnet18" if value == "resnet50" else shape.shrink(name, value)
    return type(config)(**given | image(given) | scale(config, given))


def sections(value: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Settings of rotary embeddings: their sections fill half a head."""
    if "mrope_section" not in value:
        return value
    return value | {"mrope_section": shape.shrink("head_dim", value["mrope_section"])}


def scale(config: Any, given: dict[str, Any]) -> dict[str, float]:
    """What goes with the smaller width: fan_in * sigma^2, by which the signal passes, and ratios of widths stay."""
    before = dict(fields(config))
    width = next((name for name in MODEL_WIDTHS if is_number(before.get(name)) and is_number(given.get(name))), None)
    if width is None:
        return {}
    factor = before[width] / given[width]
    ranges = {name: before[name] * math.sqrt(factor) for name in RANGES if isinstance(before.get(name), float)}
    return ranges | {name: max(1, round(before[name] / factor)) for name in BASES if is_number(before.get(name))}


def image(given: dict[str, Any]) -> dict[str, Any]:
    """An image of four by four patches."""
    size, patch = given.get("image_size"), given.get("patch_size")
    if not isinstance(size, int | list | tuple):
        return {}
    side = 4 * patch if is_number(patch) and patch >= 8 else 64
    return {"image_size": side if isinstance(size, int) else type(size)(side for _ in size)}


class NotSmall(Exception):  # noqa: N818
    """A class for which no small configuration is found, and whether its default one builds."""


def factory(name: str) -> Callable[[], torch.nn.Module]:
    """Builds the class of this name from the first small configuration that it can be built from."""
    cls = transformers_model(name)
    config = chosen(cls)

    def build() -> torch.nn.Module:
        model: torch.nn.Module = cls(config)
        return model

    build.__wrapped__ = cls  # type: ignore[attr-defined]
    return build


def chosen(cls: Any) -> Any:
    """The first small configuration with which a class runs; or that it can be built from. Raises NotSmall."""
    default, error, buildable = cls.config_class(), "", None
    for shape in (*shapes(default), None):
        try:
            config = small(default, shape) if shape is not None else default
            with torch.device("meta"):
                model = cls(config)
        except Exception as raised:  # whatever the class raises on a configuration that does not fit together
            error = f"{type(raised).__name__}: {raised}"
            continue
        if sum(parameter.numel() for parameter in model.parameters()) <= FEW_PARAMETERS:
            buildable = buildable or config
            if runs(cls, config):
                return config
        error = ""
    if buildable is not None:
        return buildable
    if error:
        raise NotSmall(f"{cls.__name__} does not build from its default configuration: {error}")
    raise NotSmall(f"no configuration of {cls.__name__} with at most {FEW_PARAMETERS:,} parameters was found")


def runs(cls: Any, config: Any) -> bool:
    """Whether a forward runs on inputs that the probe infers."""
    try:
        return inputs_for(cls(config), Target(spec=cls.__name__)) is not None
    except Exception:  # whatever the class raises on a configuration that does not fit together
        return False


def model_classes() -> tuple[list[str], list[str]]:
    """The base class of every model type that transformers knows, and of each the first class for a task."""
    from transformers.models.auto import modeling_auto

    tasks = {name: names for name, names in vars(modeling_auto).items() if re.fullmatch(r"MODEL_FOR_.*_NAMES", name)}
    most = [tasks.pop(f"MODEL_FOR_{task}_MAPPING_NAMES") for task in ("MULTIMODAL_LM", "CAUSAL_LM")]
    first: dict[str, str] = {}
    for names in (*most, *tasks.values()):
        for model_type, name in names.items():
            first.setdefault(model_type, name if isinstance(name, str) else name[0])
    bases = (name if isinstance(name, str) else name[0] for name in modeling_auto.MODEL_MAPPING_NAMES.values())
    base = sorted(set(bases))
    return base, sorted(set(first.values()) - set(base))


def quiet() -> None:
    """No word on one thread: a model is built beside many others."""
    import transformers

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    quiet()
    return factory(name)
