"""Whoever writes a parameter speaks for it, in whatever file; without that write it is reported."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.rules import catalogue, questions
from initaudit.subjects.calls import DeprecatedCall
from initaudit.subjects.order import Overwritten
from initaudit.timeline import Coverage

LAYER = """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
"""
MIXIN = """
class Makes:
    def make(self, n):
        self.weight = nn.Parameter(torch.empty(n, n))
"""
MIXED = """
from mixin import Makes

class Layer(Makes, nn.Module):
    def __init__(self, n):
        super().__init__()
        self.make(n)
        nn.init.xavier_uniform_(self.weight)  # writes
"""
PROJECTS = {
    "a base class in another file": {
        "base": """
            class Base(nn.Module):
                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)  # writes
            """,
        "layer": """
            from base import Base

            class Layer(Base):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n, n))
                    self.reset_parameters()
            """,
    },
    "a helper in another file": {
        "inits": """
            def glorot(tensor):
                if tensor is not None:
                    bound = math.sqrt(6 / (tensor.size(-2) + tensor.size(-1)))
                    tensor.data.uniform_(-bound, bound)  # writes
            """,
        "layer": """
            from inits import glorot

            class Layer(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n, n))
                    glorot(self.weight)
            """,
    },
    "a helper that is reached through a re-export": {
        "inits": """
            def glorot(tensor):
                nn.init.xavier_uniform_(tensor)  # writes
            """,
        "tools": "from inits import glorot as fill",
        "layer": """
            import tools

            class Layer(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n, n))
                    tools.fill(self.weight)
            """,
    },
    "a helper that a star import binds after torch's": {
        "inits": """
            def fill(tensor):
                nn.init.xavier_uniform_(tensor)  # writes
            """,
        "layer": """
            from torch.nn import *
            from inits import *

            class Layer(Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = Parameter(torch.empty(n, n))
                    fill(self.weight)
            """,
    },
    "a base that goes by a name of torch's": {
        "base": """
            class Module(nn.Module):
                def fill(self, tensor):
                    nn.init.xavier_uniform_(tensor)  # writes
            """,
        "imports": "from torch.nn import *\nfrom base import *",
        "layer": """
            from imports import *

            class Layer(Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = Parameter(torch.empty(n, n))
                    self.fill(self.weight)
            """,
    },
    "a module whose mixin makes it": {"mixin": MIXIN, "layer": MIXED},
    "a function that asks for the mixin": {
        "mixin": MIXIN,
        "layer": MIXED.replace("nn.init.xavier_uniform_(self.weight)  # writes", ""),
        "train": """
            from layer import Layer
            from mixin import Makes

            def init_model(model):
                for module in model.modules():
                    if isinstance(module, Makes):
                        nn.init.xavier_uniform_(module.weight)  # writes

            net = nn.Sequential(Layer(3))
            init_model(net)
            """,
    },
    "a base that one of several starred files imports back": {
        "imports": "from base import *\nfrom other import *",
        "base": """
            class Base(nn.Module):
                def fill(self, tensor):
                    nn.init.xavier_uniform_(tensor)  # writes
            """,
        "other": "from imports import Base",
        "layer": """
            from imports import Base

            class Layer(Base):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n, n))
                    self.fill(self.weight)
            """,
    },
    "a subclass in another file": {
        "layer": LAYER,
        "scaled": """
            from layer import Layer

            class Scaled(Layer):
                def __init__(self, n):
                    super().__init__(n)
                    nn.init.ones_(self.weight)  # writes
            """,
    },
    "an initializer of the model that asks for the type": {
        "layer": LAYER
        + """
class Model(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layer = Layer(n)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, Layer)):
            module.weight.data.normal_(0, 0.02)  # writes
""",
    },
    "a parent that loops over parameters": {
        "layer": LAYER
        + """
class Model(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layer = Layer(n)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)  # writes
""",
    },
    "a parent that loads all it is made of": {
        "layer": LAYER
        + """
class Model(nn.Module):
    def __init__(self, n, path):
        super().__init__()
        self.layer = Layer(n)
        self.load_state_dict(torch.load(path))  # writes
""",
    },
    "a parent that looks parameters up by name": {
        "layer": LAYER
        + """
class Model(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layer = Layer(n)
        for name in ["layer.weight"]:
            dict(self.named_parameters())[name].data.normal_()  # writes
""",
    },
    "a parent that looks modules up by name": {
        "layer": LAYER
        + """
class Model(nn.Module):
    def __init__(self, n, names):
        super().__init__()
        self.layer = Layer(n)
        for name in names:
            nn.init.orthogonal_(getattr(self, name).weight)  # writes
""",
    },
    "a factory of the class that others call": {
        "layer": """
            def add_weight(module, n):
                module.weight = nn.Parameter(torch.empty(n, n))

            class Layer(nn.Module):
                @staticmethod
                def of(other):
                    made = Layer(other.n)
                    made._copy_weight(other.weight, made.weight)
                    return made

                def __init__(self, n):
                    super().__init__()
                    add_weight(self, n)

                def _copy_weight(self, source, target):
                    with torch.no_grad():
                        target.copy_(source, non_blocking=True)  # writes
            """,
        "shards": """
            from layer import Layer

            shard = Layer.of(object())
            """,
    },
    "a function that gets the model": {
        "layer": LAYER,
        "train": """
            from layer import Layer

            def init_model(model):
                for name, p in model.named_parameters():
                    if "weight" in name:
                        nn.init.normal_(p)  # writes

            net = Layer(3)
            init_model(net)
            """,
    },
}


def without_the_write(source: str) -> str:
    return re.sub(r"\S.*# writes", "pass", source)


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_a_write_is_seen_wherever_it_is(files: dict[str, str], unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(**files) == set()


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_a_parameter_is_reported_once_nobody_writes_it(
    files: dict[str, str], unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(**{name: without_the_write(source) for name, source in files.items()}) == {"weight"}


def test_a_loop_that_leaves_vectors_out_writes_no_vector(unwritten: Callable[..., set[str]]) -> None:
    found = unwritten(
        layer="""
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))
                self.bias = nn.Parameter(torch.empty(n))
                for p in self.parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
        """
    )
    assert found == {"bias"}


def test_an_initializer_that_is_never_called_is_named_for_each_parameter_it_would_write(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    seen = analyzed(
        layer="""
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))
                self.bias = nn.Parameter(torch.empty(n))

            def fill(self):
                nn.init.normal_(self.weight)
                nn.init.zeros_(self.bias)
        """
    )["layer"]
    assert {p.name: p.forgotten for p in seen.parameters} == {"weight": "fill", "bias": "fill"}


@pytest.mark.parametrize(
    "body",
    [
        "if path: self.load_state_dict(torch.load(path))",
        "for name in ['layer.bias']: dict(self.named_parameters())[name].data.normal_()",
        "for name in ['layer']: nn.init.zeros_(getattr(self, name).bias)",
    ],
)
def test_a_parent_that_may_load_or_looks_up_others_does_not_write(
    body: str, unwritten: Callable[..., set[str]]
) -> None:
    parent = f"""
class Model(nn.Module):
    def __init__(self, n, path):
        super().__init__()
        self.layer = Layer(n)
        {body}
"""
    assert unwritten(layer=LAYER + parent) == {"weight"}


def test_a_file_that_changes_between_two_calls_is_read_again(unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=LAYER) == {"weight"}
    assert unwritten(layer=f"{LAYER}        nn.init.zeros_(self.weight)\n") == set()


def test_a_file_that_was_first_reached_by_a_name_is_reported_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "import torch\nfrom torch import nn\n"
    top = "from b import Layer\nclass Top(Layer):\n    w = nn.Parameter(torch.empty(1))\n"
    (tmp_path / "a.py").write_text(head + top)
    (tmp_path / "b.py").write_text(head + LAYER)
    monkeypatch.chdir(tmp_path)
    seen = analyze(["a.py", "b.py"], questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)
    places = [p.allocation.place.filename for found in seen for p in found.parameters if p.allocation is not None]
    assert places == ["b.py", "b.py"]


@pytest.mark.parametrize("statement", ["self.table.data.copy_(x[:4])", "self.fill(x)"])
def test_what_a_forward_writes_at_first_use_is_not_decided(
    statement: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(
        codebook=f"""
        class Codebook(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.ready = False
                self.table = nn.Parameter(torch.empty(n, 4))

            def fill(self, x):
                nn.init.uniform_(self.table, x.min(), x.max())

            def forward(self, x):
                if not self.ready:
                    {statement}
                    self.ready = True
                return x @ self.table.t()
        """
    )["codebook"]
    assert [p.coverage for p in seen.parameters] == [Coverage.UNKNOWN]


def test_what_a_forward_only_reads_is_reported(unwritten: Callable[..., set[str]]) -> None:
    found = unwritten(
        layer="""
        import away

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))

            def forward(self, x):
                y = x.clone()
                y.copy_(x)
                return away.product(y, self.weight)

        class Gate(nn.Module):
            def forward(self, x, y):
                return away.gated(x, y).copy_(Layer)
        """
    )
    assert found == {"weight"}


def test_choices_of_choices_end(unwritten: Callable[..., set[str]]) -> None:
    lines = "\n".join(f"                pick = pick(1) if config.a{i} else pick(2)" for i in range(40))
    found = unwritten(
        layer=f"""
        class Layer(nn.Module):
            def __init__(self, config, x):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(3, 3))
                pick = config.first
{lines}
        """
    )
    assert found <= {"weight"}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("7", Coverage.NEVER),
        ("2 * WIDTH", Coverage.NEVER),
        ("given", None),
        ("WORDS", None),
        ("n=WIDTH", Coverage.NEVER),
    ],
)
def test_what_a_caller_passes_tells_a_size_from_data(
    analyzed: Callable[..., dict[str, Observation]], argument: str, expected: object
) -> None:
    seen = analyzed(
        net=f"""
        WIDTH = 8 * 4
        WORDS = [1.0, 2.0]

        class Bias(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.w = nn.Parameter(torch.Tensor(n))

        def build(given):
            return Bias({argument})
        """
    )
    found = [timeline.coverage for one in seen.values() for timeline in one.parameters]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ("def build(width: int):\n    return Bias(width)", Coverage.NEVER),
        ("def build(width):\n    return nn.Sequential(nn.Linear(3, width), Bias(2 * width))", Coverage.NEVER),
        (
            "class Net(nn.Module):\n    def __init__(self, width):\n        super().__init__()\n"
            "        self.bias = Bias(n=width)\n        self.conv = nn.Conv2d(width, 8, 3)",
            Coverage.NEVER,
        ),
        ("def build(width: list):\n    return Bias(width)", None),
        ("def build(width: int):\n    width = [width]\n    return Bias(width)", None),
        ("def build(width):\n    inner = [nn.Linear(3, width) for width in width]\n    return Bias(width)", None),
        ("def build(width):\n    inner = lambda width: nn.Linear(3, width)\n    return Bias(width)", None),
        ("def build(width):\n    return nn.Linear(1, width) if isinstance(width, int) else Bias(width)", None),
    ],
)
def test_what_a_caller_knows_to_be_a_width_is_a_size(
    analyzed: Callable[..., dict[str, Observation]], build: str, expected: object
) -> None:
    bias = (
        "class Bias(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.w = nn.Parameter(torch.Tensor(n))\n\n"
    )
    found = [timeline.coverage for one in analyzed(net=bias + build).values() for timeline in one.parameters]
    assert found == ([expected] if expected else [])


def test_an_argument_that_a_layer_takes_for_a_width_is_a_size(analyzed: Callable[..., dict[str, Observation]]) -> None:
    seen = analyzed(
        net="""
        class Net(nn.Module):
            def __init__(self, n, data):
                super().__init__()
                self.w = nn.Parameter(torch.Tensor(n))
                self.table = nn.Parameter(torch.Tensor(data))
                self.fc = nn.Linear(n, 1)
        """
    )
    assert [timeline.name for timeline in seen["net"].parameters] == ["w"]


def test_a_script_of_the_same_repository_may_call_what_the_package_leaves_to_it(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "",
        "package/__init__.py": "",
        "package/layer.py": """
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.magnitude = nn.Parameter(torch.empty(n))

                def prepare_magnitude(self):
                    nn.init.ones_(self.magnitude)
            """,
        "recipes/train.py": """
            def train(model):
                for module in model.modules():
                    if hasattr(module, "prepare_magnitude"):
                        module.prepare_magnitude()
            """,
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(source), encoding="utf-8")

    def coverage() -> list[Coverage]:
        layer = str(tmp_path / "package" / "layer.py")
        seen = analyze([layer], questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)
        return [parameter.coverage for observation in seen for parameter in observation.parameters]

    assert coverage() == [Coverage.UNKNOWN]
    (tmp_path / "recipes" / "train.py").unlink()
    assert coverage() == [Coverage.NEVER]


def test_what_a_mixin_makes_is_reported_there_once_a_module_forgets_it(
    analyzed: Callable[..., dict[str, Observation]], unwritten: Callable[..., set[str]]
) -> None:
    forgets = without_the_write(MIXED).replace("Layer", "Forgets")
    assert unwritten(mixin=MIXIN) == set()
    seen = analyzed(mixin=MIXIN, layer=f"{MIXED}\n{forgets}")
    assert [(p.model, p.name, p.coverage) for p in seen["mixin"].parameters] == [
        ("mixin.Makes", "weight", Coverage.NEVER)
    ]


def test_of_several_star_imports_each_name_comes_from_the_one_that_has_it(unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(
        imports="from torch import *\nfrom torch.nn import *\nfrom torch.nn.init import *",
        layer="""
        from imports import *
        from torch.nn.functional import *

        class Layer(Module):
            def __init__(self, n):
                super().__init__()
                self.weight = Parameter(empty(n, n))
                self.bias = Parameter(empty(n))
                zeros_(self.bias)
        """,
    ) == {"weight"}


def test_a_name_that_an_unreadable_star_import_may_bind_is_unknown(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    seen = analyzed(
        layer="""
        from away import *
        from torch.nn import *

        class Layer(Module):
            def __init__(self, n):
                super().__init__()
                self.weight = Parameter(torch.empty(n, n))
                fill(self.weight)
                print(self.weight)

        class Bare(Base):
            def __init__(self, n):
                super().__init__()
                self.weight = Parameter(torch.empty(n, n))
        """
    )["layer"]
    assert [p.coverage for p in seen.parameters] == [Coverage.UNKNOWN]
    assert sorted(each.reason for each in seen.undecided) == [
        "a base class could not be resolved",
        "passed to away.fill",
    ]


NAMESPACE = {
    "package/base.py": """
        import torch
        from torch import nn

        class Base(nn.Module):
            def reset(self):
                nn.init.zeros_(self.weight)
        """,
    "package/tools/fill.py": """
        from torch import nn

        def fill(tensor):
            nn.init.zeros_(tensor)
        """,
    "package/layers/fill.py": """
        def fill(tensor):
            return tensor
        """,
    "package/layers/layer.py": """
        import torch
        from torch import nn
        {imports}

        class Layer(Base):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n))
                self.bias = nn.Parameter(torch.empty(n))
                self.scale = nn.Parameter(torch.empty(n))
                fill(self.bias)
        """,
    "package/models/model.py": """
        from torch import nn
        from package.layers.layer import Layer

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = Layer(3)
                nn.init.ones_(self.layer.scale)
        """,
}


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ("from package.base import Base\nfrom package.tools.fill import fill", {"weight"}),
        ("from ..base import Base\nfrom ..tools.fill import fill", {"weight"}),
        ("from ..base import Base\nfrom .fill import fill", {"weight", "bias"}),
        ("from ..base import Base\nfrom ..tools import fill as tools\nfill = tools.fill", {"weight"}),
        ("from package.base import *\nfrom ..tools.fill import *", {"weight"}),
    ],
)
def test_a_package_needs_no_init_file(imports: str, expected: set[str], tmp_path: Path) -> None:
    for name, source in NAMESPACE.items():
        (tmp_path / "src" / name).parent.mkdir(exist_ok=True, parents=True)
        text = textwrap.dedent(source).replace("{imports}", imports)
        (tmp_path / "src" / name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / "src" / name) for name in NAMESPACE]
    seen = analyze(files, questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)
    unwritten = {p.name for found in seen for p in found.parameters if p.coverage is Coverage.NEVER}
    assert unwritten == expected


def test_what_an_inherited_method_overwrites_is_read_where_the_method_stands(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    base = """
        class Base(nn.Module):
            def forward(self, x):
                return x

            def init_weights(self, module):
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=0.02)
    """
    net = """
        from base import Base

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.gate = nn.Linear(3, 3)
                nn.init.zeros_(self.gate.weight)

        class Net(Base):
            def __init__(self):
                super().__init__()
                self.block = Block()
                self.apply(self.init_weights)
    """
    seen = analyzed(base="\n" * 30 + base, net=net)["net"]
    assert [fact.parameter for fact in seen.facts if isinstance(fact, Overwritten)] == ["gate.weight"]


def test_a_deprecated_initializer_is_known_behind_the_name_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "zoo.py").write_text("from torch.nn.init import xavier_normal\n", encoding="utf-8")
    user = tmp_path / "user.py"
    user.write_text("import torch\nimport zoo\nw = torch.zeros(3, 3)\nzoo.xavier_normal(w)\n", encoding="utf-8")
    asked = questions([catalogue()["INI308"]], Observer.ANALYZER)
    (seen,) = analyze([str(user)], questions=asked, jobs=1)
    assert [fact.function for fact in seen.facts if isinstance(fact, DeprecatedCall)] == ["torch.nn.init.xavier_normal"]
