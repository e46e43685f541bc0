"""The base of the dispatch modes."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Mode(TorchDispatchMode):
    """A dispatch mode that torch's compiler leaves alone, and that does not import it.

    By default torch imports its compiler at the first operator, only to tell it to skip the mode. That takes as long as
    importing torch. Here the compiler is told when a mode is entered, if something else has imported it.
    """

    hidden: ClassVar[bool]
    """Set when the compiler has been told."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __enter__(self) -> Any:
        if "torch._dynamo" in sys.modules and "hidden" not in vars(type(self)):
            type(self).__torch_dispatch__ = torch.compiler.disable(type(self).__torch_dispatch__)
            type(self).hidden = True
        return super().__enter__()
