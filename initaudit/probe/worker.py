"""The child process: reads a request, imports, builds, answers. Everything the user's code does happens here."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path

import msgspec

from initaudit.facts import BuildFailure, Observation
from initaudit.finding import Observer, Place
from initaudit.probe.request import Answer, Progress, Stage, Target, TargetError


def main(where: str) -> None:
    """Answer the request in a folder."""
    folder = Path(where)
    target = msgspec.msgpack.decode((folder / "request").read_bytes(), type=Target)
    trace = (folder / "trace").open("w")
    faulthandler.enable(trace)
    # A thread of faulthandler's own, which needs no lock of the interpreter: the main one may be stuck anywhere.
    faulthandler.dump_traceback_later(target.timeout, exit=True, file=trace)
    try:
        answer = Answer(observation=observe(target, folder))
    except TargetError as error:
        answer = Answer(error=str(error))
    _write(folder / "answer", answer)
    os._exit(0)  # threads and exit handlers of user code have no say


def observe(target: Target, folder: Path) -> Observation:
    """Import, build and audit, saying before each stage what is about to happen."""
    from initaudit.probe.audit import Audit, audit_instance
    from initaudit.probe.given import check
    from initaudit.probe.lines import place_of_error
    from initaudit.probe.poison import control_build
    from initaudit.probe.target import describe, resolve

    check(target)
    resolved = resolve(target)
    place = resolved.place()

    def about_to(stage: Stage, known: Observation | None = None) -> None:
        _write(folder / "progress", Progress(stage=stage, place=place, known=known))

    about_to(Stage.BUILDING)
    if resolved.is_instance:
        return audit_instance(target, resolved.attribute, place)
    try:
        control = control_build(resolved.build, target.seed)
    except TargetError:
        raise
    except BaseException as error:  # whatever a constructor raises, SystemExit and KeyboardInterrupt too
        return _not_built(target, place_of_error(error) or place, describe(error))
    audit = Audit(target, resolved.build, place, control)
    about_to(Stage.COMPARING, audit.observation())
    audit.compare()
    audit.reseed()
    about_to(Stage.RUNNING, audit.observation())
    audit.restore()
    audit.follow()
    about_to(Stage.TRAINING, audit.observation())
    audit.train()
    return audit.observation()


def _not_built(target: Target, place: Place, detail: str) -> Observation:
    failure = BuildFailure(place=place, target=target.spec, how="raised", detail=detail)
    return Observation(observer=Observer.PROBE, source=target.spec, facts=(failure,))


def _write(path: Path, message: msgspec.Struct) -> None:
    """Write all of it or nothing."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(msgspec.msgpack.encode(message))
    unfinished.replace(path)
