"""The child process: reads a request, imports, builds, answers. Everything the user's code does happens here.

The answer goes to a file, so that a model that prints to stdout, or closes it, cannot garble it.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from pathlib import Path

import msgspec

from initaudit.facts import BuildFailure, Observation
from initaudit.finding import Observer
from initaudit.probe import Answer, Progress, Target, TargetError



def main(folder: Path) -> None:
    """Answer the request in a folder."""
    target = msgspec.msgpack.decode((folder / "request").read_bytes(), type=Target)
    _watch_the_clock(folder, target.timeout)
    try:
        answer = Answer(observation=observe(target, folder))
    except TargetError as error:
        answer = Answer(error=str(error))
    _write(folder / "answer", answer)
    os._exit(0)  # threads and exit handlers of user code have no say


def observe(target: Target, folder: Path) -> Observation:
    """Import, build and audit."""
    from initaudit.probe.audit import Audit, audit_instance
    from initaudit.probe.lines import place_of_error
    from initaudit.probe.target import describe, resolve

    resolved = resolve(target)
    place = resolved.place()
    _write(folder / "progress", Progress(place=place))
    if resolved.is_instance:
        return audit_instance(target, resolved.attribute, place)
    try:
        audit = Audit(target, resolved.build, place)
    except TargetError:
        raise
    except BaseException as error:  # whatever a constructor raises, SystemExit and KeyboardInterrupt too
        where = place_of_error(error) or place
        failure = BuildFailure(place=where, target=target.spec, how="raised", detail=describe(error))
        return Observation(observer=Observer.PROBE, source=target.spec, facts=(failure,))
    return audit.observation()


def _watch_the_clock(folder: Path, seconds: float) -> None:
    """When time is up, leave the stack and end. A thread, since the main one may be stuck anywhere."""
    trace = (folder / "trace").open("w")
    faulthandler.enable(trace)

    def end() -> None:
        faulthandler.dump_traceback(trace, all_threads=True)
        (folder / "hung").touch()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _write(path: Path, message: msgspec.Struct) -> None:
    """Write all of it or nothing."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(msgspec.msgpack.encode(message))
    unfinished.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
