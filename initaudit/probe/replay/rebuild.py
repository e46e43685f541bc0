"""Build a model on the meta device, give it memory, initialize it again, and load a state dict, as frameworks do."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.forward.given import given_function
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.poison import Make, Tensors, seed_everything, tensors_of
from initaudit.probe.record.watch import Filler, Watch
from initaudit.probe.replay.checkpoint import Checkpoint
from initaudit.probe.replay.reinit import Reinitialization, by_function, is_pretrained, reinitialization
from initaudit.probe.replay.restore import emptied
from initaudit.probe.request import Target, TargetError
from initaudit.probe.words import describe, few

NOTHING = "it has no initializer to run again, such as `reset_parameters`"
GIVE = "name a function that initializes the model, with --reinit module:function"
REAL = "compute in a method that runs after `to_empty()` what needs values"


class CannotReplay(Exception):  # noqa: N818
    """A build on the meta device that does not work; says why, and what to do about it."""

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Again(NamedTuple):
    """A model that was initialized again, what was called for that, and whether ``from_pretrained`` made it."""

    tensors: Tensors
    state: Tensors
    called: Reinitialization
    said: str
    pretrained: bool = False


class Rebuild:
    """How a model is built without memory."""

    def __init__(self, model: torch.nn.Module, on_meta: Make, target: Target, loaded: Checkpoint | None) -> None:
        """``on_meta`` builds on the meta device what the ordinary build ``model`` is; ``loaded`` is loaded then."""
        self.model = model
        self.on_meta = on_meta
        self.target = target
        self.loaded = loaded
        self.paths = tensors_of(model).keys()

    def again(self, seed: int, content: Content, loaded: Checkpoint | None = None, watch: Watch | None = None) -> Again:
        """Build on the meta device, give memory with this content, initialize, and load a state dict.

        Raises CannotReplay where that does not work, and TargetError for what the user gave and cannot be used.
        """
        loaded = loaded or self.loaded
        mode = watch or Filler(filling(content))
        if is_pretrained(self.model) and self.target.reinit is None:
            found = self._from_pretrained(seed, mode, loaded)
            if found is not None:
                return found
        model = self._built_on_meta(seed)
        with mode:
            try:
                emptied(model, self.target.device)
            except Exception as error:  # whatever a module's own `_apply` raises
                raise CannotReplay(f"`to_empty()` raised {describe(error)}") from error
            called = self._reinitialization(model, loaded)
            seed_everything(seed)
            try:
                called.run()
            except Exception as error:  # whatever the user's initializers raise
                if self.target.reinit is not None:
                    raise TargetError(f"the initialization {self.target.reinit} raised {describe(error)}") from error
                raise CannotReplay(f"initializing it again raised {describe(error)}", GIVE) from error
            if loaded is not None:
                self._load(model, loaded)
        parts = ["built on the meta device, `to_empty()`", *filter(None, [called.described()])]
        said = ", then ".join([*parts, *([f"`load_state_dict` of {described(loaded)}"] if loaded is not None else [])])
        return Again(tensors_of(model), model.state_dict(), called, said)

    def _built_on_meta(self, seed: int) -> torch.nn.Module:
        seed_everything(seed)
        try:
            return self.on_meta()
        except TargetError:
            raise
        except (Exception, SystemExit) as error:  # whatever a constructor raises
            reason = f"it cannot be built there: the constructor raised {describe(error)}"
            raise CannotReplay(reason, REAL) from error

    def _reinitialization(self, model: torch.nn.Module, loaded: Checkpoint | None) -> Reinitialization:
        if self.target.reinit is not None:
            return by_function(self.target.reinit, given_function(self.target.reinit), model)
        called = reinitialization(model, self.target.device)
        if not called.steps and loaded is None:
            raise CannotReplay(NOTHING, GIVE)
        return called

    def _load(self, model: torch.nn.Module, loaded: Checkpoint) -> None:
        for key in loaded.reshaped:
            given, own = tuple(loaded.state[key].shape), tuple(self.model.state_dict()[key].shape)
            raise TargetError(f"{loaded.source}: key {key!r} has the shape {given}, where the model has {own}")
        try:
            load(model, loaded.copies())
        except Exception as error:  # whatever a hook of the user's raises
            raise CannotReplay(f"loading {loaded.source} raised {describe(error)}") from error

    def _from_pretrained(self, seed: int, mode: Watch | Filler, loaded: Checkpoint | None) -> Again | None:
        """Build as transformers loads a checkpoint; None where that makes another model."""
        by = reinitialization(self.model, self.target.device)
        seed_everything(seed)
        with mode:
            try:
                model = from_pretrained(self.model, loaded.copies() if loaded is not None else {})
            except Exception:  # the model takes more than a configuration, or this version other arguments
                return None
        tensors = tensors_of(model)
        if tensors.keys() != self.paths:
            return None
        of = described(loaded) if loaded is not None else "a state dict without any key"
        return Again(tensors, model.state_dict(), by, f"`from_pretrained` of {of}", pretrained=True)


def described(loaded: Checkpoint) -> str:
    """Say what is loaded: "a state dict of the model without 2 keys (head.weight, head.bias)"."""
    lacking = f" without {_keys(loaded.missing)}" if loaded.missing else ""
    reshaped = f", with another shape of {_keys(loaded.reshaped)}" if loaded.reshaped else ""
    unknown = f", and with {_keys(loaded.unknown)} that the model does not have" if loaded.unknown else ""
    return f"{loaded.source}{lacking}{reshaped}{unknown}"


def _keys(names: tuple[str, ...]) -> str:
    return f"{len(names)} key{'s' * (len(names) > 1)} ({few(names)})"


@crossing
def load(model: torch.nn.Module, state: Tensors) -> None:
    """Load what a state dict holds."""
    model.load_state_dict(state, strict=False)


@crossing
def from_pretrained(model: torch.nn.Module, state: Tensors) -> torch.nn.Module:
    """Another model of the class, loaded from this state as transformers loads a checkpoint, without a file."""
    cls: Any = type(model)
    config: Any = model.config
    dtype: Any = model.dtype
    loaded: torch.nn.Module = cls.from_pretrained(
        None, config=config, state_dict=state, torch_dtype=dtype, ignore_mismatched_sizes=True
    )
    return loaded
