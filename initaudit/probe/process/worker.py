"""The child process: reads a request, imports, builds and answers. All user code runs here."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from initaudit.observation import Observation
from initaudit.probe.announce import announce, into
from initaudit.probe.blame import failure_of_ours, is_ours
from initaudit.probe.record.plain import plain_value
from initaudit.probe.request import READ_TARGET, Answer, Progress, Stage, Target, TargetError
from initaudit.probe.words import describe, escaped

BITS = 64
"""Of the longest integer that a message holds."""


def main(where: str) -> None:
    """Answer the request in a folder."""
    folder = Path(where)
    into(folder)
    target = READ_TARGET.decode((folder / "request").read_bytes())
    trace = (folder / "trace").open("w")
    faulthandler.enable(trace)
    # A thread of faulthandler's own, which needs no lock of the interpreter: the main one may be stuck anywhere.
    faulthandler.dump_traceback_later(target.timeout, exit=True, file=trace)
    try:
        answer = Answer(observation=observe(target, folder))
    except TargetError as error:
        answer = Answer(error=str(error))
    except BaseException as error:  # user code is caught where it is called, so that this is a failure of ours
        answer = Answer(error=failure_of_ours(error))
    write_message(folder / "answer", answer)
    with contextlib.suppress(Exception):  # a stream of the user's
        sys.stdout.flush()
    os._exit(0)  # threads and exit handlers of user code have no say


def observe(target: Target, folder: Path) -> Observation:
    """Import, build and audit, saying before each stage what is about to happen."""
    from initaudit.probe.audit.stages import audit, not_built
    from initaudit.probe.forward.given import check
    from initaudit.probe.ranks.launched import group_shared, join
    from initaudit.probe.target.resolve import import_roots, resolve
    from initaudit.probe.unseen import failed

    if target.root is not None:
        sys.path[:0] = import_roots(Path(target.root))
    sys.argv[:] = [target.parts()[0], *target.argv]
    if target.turn:
        group_shared(target.turn)
    check(target)
    if target.listing:
        return listed(target)
    resolved = resolve(target)
    if target.turn:
        join()
    place = resolved.place()

    reached = Progress(stage=Stage.BUILDING, place=place)

    def about_to(stage: Stage, known: Observation | None = None) -> None:
        nonlocal reached
        reached = Progress(stage=stage, place=place, known=known)
        write_message(folder / "progress", reached)
        announce(stage, target.seed)

    try:
        return audit(target, resolved, about_to)
    except TargetError:
        raise
    except BaseException as error:  # nobody is at a keyboard here: the model raised it, whatever it is
        if reached.known is None:
            return not_built(resolved, place, error)
        if is_ours(error):
            return msgspec.structs.replace(reached.known, error=failure_of_ours(error))
        return failed(target, reached.known, reached.stage, place, f"raised {describe(error)}")


def listed(target: Target) -> Observation:
    """Import a file, and return the module classes that it defines."""
    from initaudit.probe.target.module_classes import observe_classes
    from initaudit.probe.target.resolve import imported

    filename, _ = target.parts()
    return observe_classes(filename, imported(filename))


def write_message(path: Path, message: msgspec.Struct) -> None:
    """Write all of a message or nothing.

    Names and messages of user code may hold what no encoding takes: halves of characters are escaped then, and numbers
    that are too long become floats.
    """
    try:
        content = msgspec.msgpack.encode(message)
    except (UnicodeEncodeError, OverflowError, TypeError):
        content = msgspec.msgpack.encode(_encodable(msgspec.to_builtins(message, enc_hook=plain_value)))
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return float(value) if isinstance(value, int) and value.bit_length() >= BITS else value
