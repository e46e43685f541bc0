"""Paths of a program that end before the model is used: an error, or the end of the process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.observation import Observation
from initaudit.timeline import Coverage, Only

NET = """
class Net(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))

    def reset(self):
        nn.init.normal_(self.weight)

    def forward(self, x):
        return x @ self.weight
"""
HEAD = "import argparse, os, sys\nfrom collections.abc import Mapping\nfrom nets import Net\n"


def program(body: str, *functions: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        HEAD + "\n".join(functions) + f"\ndef main(args):\n{lines}\n\nif __name__ == '__main__':\n    main(parse())\n"
    )


BUILT = "net = Net()\n"
USED = "\nnet(torch.ones(2, 4))"
GET = "net.load_state_dict(torch.load(args.path))"
LOADED = {
    "a file that has to exist": program(
        BUILT + f"if not os.path.exists(args.path):\n    raise FileNotFoundError(args.path)\n{GET}" + USED
    ),
    "a file that exists": program(
        BUILT + f"if os.path.exists(args.path):\n    {GET}\nelse:\n    raise FileNotFoundError(args.path)" + USED
    ),
    "a helper with several guards": program(
        BUILT + "restore(net, torch.load(args.path))" + USED,
        "def restore(model, state):\n    if not isinstance(state, Mapping):\n        raise ValueError(state)\n"
        "    if 'model' not in state:\n        raise KeyError('model')\n"
        "    found = model.load_state_dict(state['model'], strict=False)\n    if found.unexpected_keys:\n"
        "        raise ValueError(found)\n    return found",
    ),
    "an exit": program(BUILT + f"if os.path.exists(args.path):\n    {GET}\nelse:\n    sys.exit('no file')" + USED),
    "an exit of the parser": program(
        "parser = argparse.ArgumentParser()\n"
        + BUILT
        + f"if os.path.exists(args.path):\n    {GET}\nelse:\n    parser.error('no file')"
        + USED
    ),
    "an error that is raised again": program(
        BUILT
        + f"try:\n    if args.path is None:\n        raise ValueError\n    {GET}\nexcept ValueError as error:\n"
        + "    print(error)\n    raise"
        + USED
    ),
    "an error that ends the program": HEAD
    + "def main(args):\n    net = Net()\n    if not os.path.exists(args.path):\n        raise OSError(args.path)\n"
    + f"    {GET}\n    net(torch.ones(2, 4))\n\nif __name__ == '__main__':\n    args = parse()\n"
    + "    try:\n        main(args)\n    except Exception as error:\n        print(error)\n",
    "an interrupt": program(
        BUILT
        + "try:\n    if args.path is None:\n        raise ValueError\n"
        + f"    {GET}\nexcept KeyboardInterrupt:\n    print('done')"
        + USED
    ),
    "an error that nothing catches": program(
        BUILT
        + "try:\n    if args.path is None:\n        raise ValueError\n"
        + f"    {GET}\nfinally:\n    print('done')"
        + USED
    ),
}
INIT = "def fill(model, std, kind='normal'):\n"
WRITTEN = {
    "a scale that has to be positive": program(
        BUILT + "fill(net, args.std)" + USED,
        INIT + "    if std <= 0:\n        raise ValueError(std)\n    nn.init.normal_(model.weight, std=std)",
    ),
    "a kind that has to be known": program(
        BUILT + "fill(net, args.std, args.kind)" + USED,
        INIT + "    if kind == 'normal':\n        nn.init.normal_(model.weight, std=std)\n"
        "    elif kind == 'zero':\n        nn.init.zeros_(model.weight)\n    else:\n        raise ValueError(kind)",
    ),
    "an exit for a kind that is not known": program(
        BUILT + "if args.kind == 'a':\n    net.reset()\nelse:\n    print('?')\n    sys.exit(2)" + USED
    ),
}
RAW = {
    "an error that is caught": program(
        BUILT + "try:\n    load(net, args.path)\nexcept FileNotFoundError:\n    print('from scratch')" + USED,
        "def load(net, path):\n    if not os.path.exists(path):\n        raise FileNotFoundError(path)\n"
        "    net.load_state_dict(torch.load(path))",
    ),
    "a guard of something else": program(
        BUILT + f"if args.std < 0:\n    raise ValueError(args.std)\nif args.path:\n    {GET}" + USED
    ),
    "a guard behind it": program(BUILT.strip() + USED + f"\nif args.path:\n    {GET}\n    raise ValueError(args.path)"),
    "an error that is suppressed": program(
        BUILT
        + "with contextlib.suppress(OSError):\n    if args.path is None:\n        raise OSError(args.path)\n"
        + f"    {GET}"
        + USED,
        "import contextlib",
    ),
}


@pytest.mark.parametrize("train", LOADED.values(), ids=LOADED)
def test_a_model_that_is_always_loaded_or_refused_is_no_error(
    train: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(nets=NET, train=train)["nets"]
    assert [(each.coverage, each.only) for each in seen.parameters] == [(Coverage.NEVER, Only.CHECKPOINT)]


@pytest.mark.parametrize("train", WRITTEN.values(), ids=WRITTEN)
def test_a_model_that_is_always_written_or_refused_is_written(
    train: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(nets=NET, train=train)["nets"]
    assert [each.coverage for each in seen.parameters if each.coverage is not Coverage.WRITTEN] == []


@pytest.mark.parametrize("train", RAW.values(), ids=RAW)
def test_a_path_that_goes_on_stays_raw(train: str, analyzed: Callable[..., dict[str, Observation]]) -> None:
    seen = analyzed(nets=NET, train=train)["nets"]
    assert [(each.coverage, each.only) for each in seen.parameters] == [(Coverage.NEVER, None)]
