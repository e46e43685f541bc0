"""The requests to the child process and its answers. Imports no torch, so that both processes can use it."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec

from initaudit.finding import Change, Place
from initaudit.observation import Observation, Question


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A model to build: ``package.module:Attr`` or ``path/file.py:Attr``, a class, a factory or an instance; or a
    library's, by name: ``hf:NAME``, ``timm:NAME``, ``torchvision:NAME``.

    ``input_sizes`` are shapes with the batch, one for each positional input, and ``dtypes`` are theirs, one for all or
    one for each (the model's when none is given); ``input_data`` is ``module:function`` that returns the inputs.
    ``training`` runs the forward as it is trained, with dropout. ``device`` is where the model is built and run.
    ``timeout`` is in seconds of wall-clock time, for everything, ``memory`` in bytes that the child may hold (None:
    what is free, nearly). ``seed`` is what every build starts from, and ``seeds`` counts the seeds, from that one on,
    that a forward and a backward are measured for.
    ``abstract`` says whether to watch without memory: "auto" when the build takes more than it may.
    ``questions`` are those whose answers cost builds of their own: they are answered only when asked. ``inputs`` are
    positional and named inputs that were handed over: they never leave the process. ``changes`` are
    made to the model as soon as it is built. ``argv`` is what the target finds in ``sys.argv`` behind its name. Names
    are imported from the current folder, then from the ``root``. ``replay`` says to build on the meta device as well,
    and to initialize again: with ``reinit``, the ``module:function`` that is called with the model, or as its framework
    does. A ``state_dict`` is the file to load then, or else the state dict of the model, without the ``missing_keys``.
    ``turn`` counts, from 1, the targets that all ranks of torchrun build together; it is 0 in a process on its own.
    ``listing`` asks for the module classes of a file instead of a model, and ``fed`` says that arguments without a
    default are to be chosen.
    """

    spec: str
    kwargs: dict[str, Any] = {}
    input_sizes: tuple[tuple[int, ...], ...] = ()
    dtypes: tuple[str, ...] = ()
    input_data: str | None = None
    training: bool = False
    device: str = "cpu"
    timeout: float = 300.0
    memory: int | None = None
    abstract: Literal["auto", "always", "never"] = "auto"
    seed: int = 0
    questions: frozenset[Question] = frozenset()
    changes: tuple[Change, ...] = ()
    seeds: int = 1
    root: str | None = None
    argv: tuple[str, ...] = ()
    inputs: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    replay: bool = False
    reinit: str | None = None
    missing_keys: tuple[str, ...] = ()
    state_dict: str | None = None
    turn: int = 0
    listing: bool = False
    fed: bool = False

    @property
    def gives_inputs(self) -> bool:
        """Whether the user says what the forward is run on."""
        return bool(self.input_sizes) or self.input_data is not None or self.inputs is not None

    @property
    def replays(self) -> bool:
        """Whether the build on the meta device is asked for."""
        return self.replay or self.reinit is not None or bool(self.missing_keys) or self.state_dict is not None

    def parts(self) -> tuple[str, str]:
        """The module or file, and the attribute; raises TargetError when the specification has no such parts."""
        module, _, attribute = self.spec.rpartition(":")
        if not module or not attribute:
            raise TargetError(f"{self.spec}: give a target as package.module:Attr, path/file.py:Attr or hf:NAME")
        return module, attribute

    def encoded(self) -> bytes:
        """Return the request as another process reads it; raises TargetError for arguments that cannot be passed on."""
        try:
            return msgspec.msgpack.encode(self)
        except OverflowError as error:
            raise TargetError(f"{self.spec}: an integer in the arguments exceeds 64 bits") from error
        except (RecursionError, TypeError, UnicodeEncodeError) as error:
            raise TargetError(f"{self.spec}: the arguments cannot be passed on ({error})") from error


class TargetError(Exception):
    """A target that cannot be imported, or that is no model: an error of use."""


class ProbeUnavailable(Exception):  # noqa: N818
    """The probe cannot run here: by default, because torch is not installed."""

    def __init__(
        self, why: str = "the probe needs torch, which is not installed: pip install 'initaudit[probe]'"
    ) -> None:
        super().__init__(why)


class Stage(enum.Enum):
    """How far the child has come."""

    IMPORTING = "importing it"
    BUILDING = "building it"
    COMPARING = "building it again with other content of uninitialized memory"
    RESTORING = "initializing it again"
    RUNNING = "running its forward"
    TRAINING = "training it for a few steps"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says before each stage: which it is, where the target is defined, what is known so far."""

    stage: Stage
    place: Place
    known: Observation | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says when it is done: what it saw, or why the target is no target."""

    observation: Observation | None = None
    error: str | None = None


READ_TARGET = msgspec.msgpack.Decoder(Target)
READ_PROGRESS = msgspec.msgpack.Decoder(Progress)
READ_ANSWER = msgspec.msgpack.Decoder(Answer)
READ_OBSERVATION = msgspec.msgpack.Decoder(Observation)
"""Decoders that are made before there are threads: two that make one of the same type at once crash the process."""
