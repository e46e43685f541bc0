"""What becomes of a model that loads a state dict without some of its keys."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")

import torch
from torch import nn

import initaudit
from initaudit.engine import Report
from initaudit.probe.replay.checkpoint import read_state_dict
from initaudit.probe.request import TargetError


def loaded(make: Any, *missing: str, **more: Any) -> Report:
    return initaudit.audit(make, missing_keys=missing, select=["INI105", "INI106", "INI110"], isolated=True, **more)


def found(make: Any, *missing: str, **more: Any) -> list[tuple[str, str | None]]:
    report = loaded(make, *missing, **more)
    assert not report.errors
    return [(one.code, one.parameter) for one in report.findings]


def said(make: Any, *missing: str, **more: Any) -> str:
    return loaded(make, *missing, **more).observations[0].replayed or ""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)
        self.gamma = nn.Parameter(torch.ones(8))


def test_what_a_reset_draws_again_is_told_and_what_nothing_writes_is_reported() -> None:
    assert found(Net, "head.*") == []
    assert said(Net, "head.*").endswith(
        "then `load_state_dict` of a state dict of the model without 2 keys (head.weight, head.bias); "
        "initialized again: head.weight, head.bias"
    )
    (finding,) = loaded(Net, "gamma").findings
    assert (finding.code, finding.parameter) == ("INI105", "gamma")
    assert "in a model that loads a state dict without it" in finding.message
    assert said(Net, "gamma", "head.bias").endswith("; uninitialized then: gamma; initialized again: head.bias")


def test_a_special_value_that_is_loaded_is_none_of_the_resets_business() -> None:
    class Special(Net):
        def __init__(self) -> None:
            super().__init__()
            nn.init.zeros_(self.body.weight)
            nn.init.zeros_(self.head.weight)

    assert found(Special, "head.weight", "gamma") == [("INI105", "head.weight"), ("INI105", "gamma")]


class Hooked(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_post_hook(type(self).after)

    @staticmethod
    def after(model: Any, keys: Any) -> None:
        raise NotImplementedError


class Clobbering(Hooked):
    @staticmethod
    def after(model: Any, keys: Any) -> None:
        if "head.weight" in keys.missing_keys:
            nn.init.normal_(model.body.weight)


class Careful(Hooked):
    @staticmethod
    def after(model: Any, keys: Any) -> None:
        for key in keys.missing_keys:
            nn.init.zeros_(model.get_parameter(key))


class PartlyClobbering(Hooked):
    @staticmethod
    def after(model: Any, keys: Any) -> None:
        nn.init.zeros_(model.body.weight[0])


def test_a_loaded_value_that_is_overwritten_is_reported_at_the_line_that_does_it() -> None:
    (finding,) = loaded(Clobbering, "head.*").findings
    assert (finding.code, finding.parameter, finding.severity.value) == ("INI110", "body.weight", "error")
    assert finding.place.row == Clobbering.after.__code__.co_firstlineno + 3
    assert found(Clobbering, "head.bias") == []
    assert found(Careful, "body.weight") == [("INI105", "body.weight")]  # zeros, where the constructor draws
    (finding,) = loaded(PartlyClobbering, "head.*").findings
    assert "8 of 64 elements" in finding.evidence[0].detail


class Scaling(Hooked):
    @staticmethod
    def after(model: Any, keys: Any) -> None:
        with torch.no_grad():
            model.body.weight.mul_(0.5)


class Normalizing(Hooked):
    @staticmethod
    def after(model: Any, keys: Any) -> None:
        with torch.no_grad():
            model.body.weight.div_(model.body.weight.norm(dim=1, keepdim=True))


def test_a_loaded_value_is_transformed_twice_only_if_saving_and_loading_changes_it() -> None:
    (finding,) = loaded(Scaling, "head.*").findings
    assert (finding.code, finding.parameter) == ("INI110", "body.weight") and "each time" in finding.message
    assert found(Normalizing, "head.*") == []


def test_tied_weights_that_are_tied_again_hold_what_was_loaded() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(20, 8)
            self.head = nn.Linear(8, 20, bias=False)
            self.init_weights()

        def init_weights(self) -> None:
            self.head.weight = self.emb.weight

    assert found(Tied, "head.weight") == []
    assert said(Tied, "head.weight").endswith("; tied to what was loaded: head.weight")


# Files


def test_the_values_of_a_file_are_loaded(tmp_path: Path) -> None:
    state = {key: value for key, value in Net().state_dict().items() if key != "gamma"}
    torch.save({**state, "old.bias": torch.ones(1)}, tmp_path / "net.pt")
    assert found(Net, state_dict=tmp_path / "net.pt") == [("INI105", "gamma")]
    assert "without 1 key (gamma), and with 1 key (old.bias) that the model does not have" in said(
        Net, state_dict=tmp_path / "net.pt"
    )
    assert found(Scaling, "gamma", state_dict=tmp_path / "net.pt") == [("INI105", "gamma"), ("INI110", "body.weight")]


def safetensors(path: Path, tensors: dict[str, torch.Tensor], *, cut: int = 0) -> Path:
    """Write a file as the format's page describes it."""
    names = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for key, tensor in tensors.items():
        raw = bytes(tensor.contiguous().view(torch.uint8).flatten().tolist()) if tensor.numel() else b""
        offsets = [len(body), len(body) + len(raw)]
        header[key] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body[: len(body) - cut])
    return path


def test_a_file_of_safetensors_is_read_without_the_library(tmp_path: Path) -> None:
    tensors = {
        "a.weight": torch.randn(3, 4), "b": torch.arange(5).reshape(5, 1), "c": torch.randn(2, 2).bfloat16(),
        "empty": torch.empty(0, 3),
    }  # fmt: skip
    read = read_state_dict(safetensors(tmp_path / "m.safetensors", tensors))
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[key], tensors[key]) and read[key].dtype == tensors[key].dtype for key in tensors)


class Opaque:
    pass


def broken_files(folder: Path) -> dict[str, Path]:
    torch.save({"model": {"w": torch.ones(1)}}, folder / "nested.pt")
    torch.save({"w": torch.ones(1), "epoch": 3}, folder / "training.pt")
    torch.save([torch.ones(1)], folder / "list.pt")
    torch.save({"w": Opaque()}, folder / "object.pt")
    torch.save({}, folder / "empty.pt")
    (folder / "text.pt").write_text("not a checkpoint")
    (folder / "nothing.pt").write_bytes(b"")
    safetensors(folder / "cut.safetensors", {"w": torch.ones(8)}, cut=4)
    (folder / "header.safetensors").write_bytes(struct.pack("<Q", 9) + b"{nonsense")
    return {path.name: path for path in folder.iterdir()} | {"absent.pt": folder / "absent.pt", "folder": folder}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nested.pt", "key 'model' holds a dict of tensors; save that one in a file of its own"),
        ("training.pt", "key 'epoch' holds an int, not a tensor"),
        ("list.pt", "it holds a list, not a dict of tensors"),
        ("object.pt", "neither safetensors nor what torch.load reads with weights_only=True"),
        ("empty.pt", "it holds no tensor"),
        ("text.pt", "neither safetensors nor"),
        ("nothing.pt", "neither safetensors nor"),
        ("cut.safetensors", "key 'w' lies outside of the file, which seems to be cut off"),
        ("header.safetensors", "the header of its safetensors is not valid"),
        ("absent.pt", "No such file or directory"),
        ("folder", "Is a directory"),
    ],
)
def test_a_file_that_is_no_state_dict_is_named_with_its_key(tmp_path: Path, name: str, said: str) -> None:
    path = broken_files(tmp_path)[name]
    with pytest.raises(TargetError) as caught:
        read_state_dict(path)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


def test_keys_that_do_not_fit_are_errors_of_use(tmp_path: Path) -> None:
    assert "matches the missing key `hed.bias`; did you mean `head.bias`?" in loaded(Net, "hed.bias").errors[0]
    torch.save({"body.weight": torch.ones(3)}, tmp_path / "shape.pt")
    (error,) = loaded(Net, state_dict=tmp_path / "shape.pt").errors
    assert f"{tmp_path / 'shape.pt'}: key 'body.weight' has the shape (3,), where the model has (8, 8)" in error
    torch.save({"other": torch.ones(3)}, tmp_path / "other.pt")
    (error,) = loaded(Net, state_dict=tmp_path / "other.pt").errors
    assert "none of its keys (other) is one of the model's" in error


# transformers


def llama(cls: str = "LlamaForCausalLM") -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=11,
    )  # fmt: skip
    return lambda: getattr(transformers, cls)(config)


def test_a_model_of_transformers_is_loaded_as_transformers_loads_it() -> None:
    assert found(llama(), "lm_head.weight") == []
    assert said(llama(), "lm_head.weight").startswith("`from_pretrained` of a state dict of the model without 1 key")


def test_an_initializer_that_does_not_spare_what_was_loaded_is_reported() -> None:
    transformers = pytest.importorskip("transformers")

    class Classifier(transformers.LlamaPreTrainedModel):  # type: ignore[misc,name-defined]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.scores = nn.Linear(config.hidden_size, 3)
            self.post_init()

        def _init_weights(self, module: Any) -> None:
            if isinstance(module, nn.Linear):
                module.weight.data.normal_(0, 0.02)
                module.bias.data.zero_()

    config = transformers.LlamaConfig(hidden_size=8, num_attention_heads=2, num_key_value_heads=1)
    assert found(lambda: Classifier(config), "scores.bias") == [("INI110", "scores.weight")]
    assert found(lambda: Classifier(config), "scores.*") == []


# Adapters


def test_an_adapter_that_a_reset_makes_no_identity_is_told() -> None:
    peft = pytest.importorskip("peft")

    def adapted() -> Any:
        return peft.get_peft_model(Net(), peft.LoraConfig(r=4, target_modules=["body"]))

    for missing in (("*lora_*",), ("*lora_B*",)):
        (finding,) = loaded(adapted, *missing).findings
        assert finding.parameter == "lora_B.default.weight"
        assert "gets random values" in finding.message and "the constructor gives 0" in finding.message
    assert found(adapted, "*lora_A*") == []
