"""The many ways in which code writes a parameter: each is understood, and without the write it is reported."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

import pytest

from initaudit.observation import Observation

WAYS = {
    "a property that gives the parameter": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self.weight)  # writes

            @property
            def weight(self):
                return self._weight
        """,
    "a mixin": """
        class Initialized:
            def reset(self):
                nn.init.normal_(self._weight)  # writes

        class Layer(Initialized, nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                self.reset()
        """,
    "a nested class": """
        class Outer(nn.Module):
            class Inner(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self._weight = nn.Parameter(torch.empty(n, n))
                    nn.init.normal_(self._weight)  # writes

            def __init__(self, n):
                super().__init__()
                self.inner = Outer.Inner(n)
        """,
    "a decorated class": """
        def registered(cls):
            return cls

        @registered
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "a class in a registry": """
        class Registry:
            def __init__(self):
                self.entries = {}

            def register(self, name):
                def add(cls):
                    self.entries[name] = cls
                    return cls
                return add

        LAYERS = Registry()

        @LAYERS.register("layer")
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "a helper chosen from a dict": """
        SCHEMES = {"normal": nn.init.normal_, "zeros": nn.init.zeros_}

        class Layer(nn.Module):
            def __init__(self, n, scheme="normal"):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                SCHEMES[scheme](self._weight)  # writes
        """,
    "a helper chosen from a dict of the method": """
        class Layer(nn.Module):
            def __init__(self, n, scheme="normal"):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                fill = {"normal": nn.init.normal_, "zeros": lambda w: nn.init.constant_(w, 0.0)}[scheme]
                fill(self._weight)  # writes
        """,
    "a helper that is given the module": """
        def fill(layer):
            nn.init.normal_(layer._weight)  # writes

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                fill(self)
        """,
    "new data for the parameter, set inside a helper": """
        def fill(parameter):
            parameter.data = torch.randn(parameter.shape)  # writes

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                fill(self._weight)
        """,
    "a loop over parameters by name": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                self.V = nn.Parameter(torch.zeros(n, n))
                for w in [self._weight, self.V]:
                    nn.init.orthogonal_(w)  # writes
        """,
    "a loop over names": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                for name in ("_weight", "b"):
                    setattr(self, name, nn.Parameter(torch.empty(n, n)))
                self.b.data.zero_()
                for name in ["_weight"]:
                    nn.init.normal_(getattr(self, name))  # writes
        """,
    "a parameter set on another object": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.inner = nn.Module()
                self.inner._weight = nn.Parameter(torch.zeros(n, n))
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "either branch creates it": """
        class Layer(nn.Module):
            def __init__(self, n, wide):
                super().__init__()
                if wide:
                    self._weight = nn.Parameter(torch.empty(n, 2 * n))
                else:
                    self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "an initialization that a configuration guards": """
        class Layer(nn.Module):
            def __init__(self, config):
                super().__init__()
                self._weight = None
                if config.gated:
                    self._weight = nn.Parameter(torch.empty(config.n, config.n))
                self.config = config
                self.reset()

            def reset(self):
                if self.config.gated:
                    nn.init.normal_(self._weight)  # writes
        """,
    "a formula for the standard deviation": """
        class Layer(nn.Module):
            def __init__(self, n, m):
                super().__init__()
                self._weight = nn.Parameter(torch.Tensor(n, m))
                std = math.sqrt(2.0 / sum(self._weight.size()))
                self._weight.data.normal_(0.0, std)  # writes
        """,
    "three slices that tile it": """
        class Layer(nn.Module):
            def __init__(self, n, given):
                super().__init__()
                self._weight = nn.Parameter(torch.Tensor(n * 3, n))
                with torch.no_grad():
                    for i in range(3):
                        self._weight[i * n : (i + 1) * n] = given[i]  # writes
        """,
    "rows that a while loop counts": """
        class Layer(nn.Module):
            def __init__(self, n, given):
                super().__init__()
                self._weight = nn.Parameter(torch.Tensor(n, n))
                i = 0
                while i < n:
                    self._weight.data[i] = given[i]  # writes
                    i += 1
        """,
    "rows of a loop": """
        class Layer(nn.Module):
            def __init__(self, n, given):
                super().__init__()
                self._weight = nn.Parameter(torch.Tensor(n, n))
                for i in range(n):
                    self._weight.data[i] = given[i]  # writes
        """,
    "the unbound constructor of a torch layer": """
        class Layer(nn.Linear):
            def __init__(self, n):
                nn.Linear.__init__(self, n, n)
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "torch's modules named in full": """
        class Layer(torch.nn.modules.linear.Linear):
            def __init__(self, n):
                torch.nn.modules.linear.Linear.__init__(self, n, n)
                self._weight = torch.nn.parameter.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "a method of the base that is a template": """
        class Base(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.build(n)
                self.fill()

            def build(self, n):
                raise NotImplementedError

            def fill(self):
                raise NotImplementedError

        class Layer(Base):
            def build(self, n):
                self._weight = nn.Parameter(torch.empty(n, n))

            def fill(self):
                nn.init.normal_(self._weight)  # writes
        """,
    "copied from a tensor that was drawn": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                with torch.no_grad():
                    self._weight.copy_(torch.randn(n, n) / n)  # writes
        """,
    "a new tensor that is filled through copies": """
        class Layer(nn.Module):
            def __init__(self, source):
                super().__init__()
                fresh = source.weight.data.new(source.n, 4)
                fresh[:4] = source.weight.data[:4]  # writes
                fresh[4:] = source.weight.data[:-4]  # writes
                self._weight = nn.Parameter(fresh)
        """,
    "functools.partial": """
        import functools

        class Layer(nn.Module):
            def __init__(self, n, init=functools.partial(nn.init.normal_, std=0.02)):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                init = functools.partial(nn.init.normal_, std=0.02)
                init(self._weight)  # writes
        """,
    "a walrus": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = (w := nn.Parameter(torch.empty(n, n)))
                w.data.normal_()  # writes
        """,
    "vars and register_parameter": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                w = nn.Parameter(torch.empty(n, n))
                self.register_parameter("_weight", w)
                nn.init.normal_(w)  # writes
        """,
    "a buffer object": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Buffer(torch.empty(n))
                self._weight.zero_()  # writes
        """,
    "a match statement": """
        class Layer(nn.Module):
            def __init__(self, n, scheme):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                match scheme:
                    case "normal":
                        nn.init.normal_(self._weight)  # writes
                    case _:
                        nn.init.zeros_(self._weight)  # writes
        """,
    "a try that falls back": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                try:
                    nn.init.orthogonal_(self._weight)  # writes
                except RuntimeError:
                    nn.init.normal_(self._weight)  # writes
        """,
    "a cast": """
        from typing import cast

        def initialize(layer):
            nn.init.normal_(cast("Layer", layer)._weight)  # writes

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                initialize(self)
        """,
    "a draw before one row is zeroed": """
        from typing import Optional

        class Layer(nn.Module):
            def __init__(self, n: int, padding: Optional[int] = None):
                super().__init__()
                if padding is not None and padding < 0:
                    padding = n + padding
                self.padding = padding
                self._weight = nn.Parameter(torch.empty(n, 4))
                nn.init.normal_(self._weight)  # writes
                if self.padding is not None:
                    with torch.no_grad():
                        self._weight[self.padding].fill_(0)
        """,
    "the last row apart from the others": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight[:-1])  # writes
                nn.init.zeros_(self._weight[-1])
        """,
    "a draw that is transformed in place": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.uniform_(self._weight, 0.01, 0.1)  # writes
                dt = self._weight.exp().clamp_min(1e-4)
                self._weight.data.copy_(dt + torch.log(-torch.expm1(-dt)))
        """,
    "a draw that an activation and an index transform": """
        import torch.nn.functional as F

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
                self._weight.data = F.normalize(self._weight, dim=0)
                self._weight.data[0] = self._weight[0] / 2
        """,
    "a constructor that refuses much": """
        class Layer(nn.Module):
            def __init__(self, n, a, b, c, d, e, f):
                super().__init__()
                if a != "x" and a != "y":
                    raise ValueError(a)
                if b != "x" and b != "y":
                    raise ValueError(b)
                if c > 1 and d in ("p", "q", "r") or e is not None and f is not None:
                    raise ValueError(c)
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes
        """,
    "an initializer of layers that it is none of": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes

        def made(n):
            layer = Layer(n)
            return layer

        class Model(nn.Module):
            def __init__(self, n, a, b, c, d, e, f, g, h):
                super().__init__()
                if a and b or c and d or e and f or g and h:
                    self.layer = made(n)
                for name, module in self.named_modules():
                    if isinstance(module, nn.Linear):
                        nn.init.ones_(module._weight)
        """,
    "an initializer that the constructor has run before": """
        class Layer(nn.Module):
            def __init__(self, n, config):
                super().__init__()
                self.config = config
                self._weight = nn.Parameter(torch.empty(n, n))
                self.bias = nn.Parameter(torch.empty(n))
                init_weights(self)

        def init_weights(module: nn.Module):
            if isinstance(module, Layer):
                if module.config.zero:
                    nn.init.zeros_(module._weight)  # writes
                else:
                    nn.init.normal_(module._weight)
                nn.init.zeros_(module.bias)
        """,
    "a method whose result a forward computes with": """
        import away

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                nn.init.normal_(self._weight)  # writes

            def product(self, x):
                x.copy_(x + 1)
                return away.product(x, self._weight)

            def forward(self, x):
                return self.product(x)
        """,
}
COLLECTIONS = {
    "a list of parameters, one by one": """
        class Layer(nn.Module):
            def __init__(self, n, k):
                super().__init__()
                self.ws = nn.ParameterList([nn.Parameter(torch.empty(n, n)) for _ in range(k)])
                for i in range(k):
                    nn.init.normal_(self.ws[i])  # writes
        """,
    "a list of parameters in a loop": """
        class Layer(nn.Module):
            def __init__(self, n, k):
                super().__init__()
                self.ws = nn.ParameterList()
                for _ in range(k):
                    self.ws.append(nn.Parameter(torch.empty(n, n)))
                for w in self.ws:
                    nn.init.normal_(w)  # writes
        """,
    "a dict of parameters": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.ws = nn.ParameterDict({"q": nn.Parameter(torch.empty(n, n))})
                nn.init.normal_(self.ws["q"])  # writes
        """,
    "a dict of parameters that is walked": """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.ws = nn.ParameterDict()
                self.ws["q"] = nn.Parameter(torch.empty(n, n))
                for key, w in self.ws.items():
                    nn.init.normal_(w)  # writes
        """,
    "a dict of parameters by its keys": """
        class Layer(nn.Module):
            def __init__(self, n, names):
                super().__init__()
                self.ws = nn.ParameterDict({name: nn.Parameter(torch.empty(n, n)) for name in names})
                for name in names:
                    nn.init.normal_(self.ws[name])  # writes
        """,
}


def without(source: str) -> str:
    return re.sub(r"\S.*# writes", "pass", source)


@pytest.mark.parametrize("source", [*WAYS.values(), *COLLECTIONS.values()], ids=[*WAYS, *COLLECTIONS])
def test_a_write_is_understood_through(source: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=source) == set()


@pytest.mark.parametrize("source", WAYS.values(), ids=WAYS)
def test_the_parameter_is_reported_without(source: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=without(source)) == {"_weight"}


@pytest.mark.parametrize("source", COLLECTIONS.values(), ids=COLLECTIONS)
def test_the_collection_is_reported_without(source: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=without(source)) == {"ws"}


def test_a_class_that_loads_all_of_its_parameters_is_not_decided(unwritten: Callable[..., set[str]]) -> None:
    source = """
        import collections
        import away

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))

            def load_weights(self, stored):
                mine = collections.OrderedDict(self.{walked}())
                for name in stored:
                    away.load(mine[name], stored[name])

        def use(layer, stored):
            layer.load_weights(stored)
        """
    assert unwritten(layer=source.format(walked="named_parameters")) == set()
    assert unwritten(layer=source.format(walked="named_children")) == {"_weight"}


LOADERS = {
    "hands itself to a loader": """
            def load_weights(self, stored):
                return away.Loader(self).load(stored)
        """,
    "lets each parameter load": """
            def load_weights(self, stored):
                mine = dict(self.named_parameters())
                for name in stored:
                    if name in mine:
                        mine[name].weight_loader(mine[name], stored[name])
        """,
}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_a_class_that_has_a_loader_is_not_decided(loader: str, unwritten: Callable[..., set[str]]) -> None:
    source = """
        import away

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
        """
    use = """
        def use(layer, stored):
            layer.load_weights(stored)
        """
    assert unwritten(layer=source + loader + use) == set()
    for name in ("offload_weights", "load_pretrained"):
        assert unwritten(layer=source + (loader + use).replace("load_weights", name)) == {"_weight"}


def test_a_model_that_lets_each_parameter_load_speaks_for_its_layers(unwritten: Callable[..., set[str]]) -> None:
    source = """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))

        class Model(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.layer = Layer(n)

            def load_weights(self, stored):
                mine = dict(self.named_parameters())
                for name in stored:
                    mine[name].{method}(mine[name], stored[name])
        """
    assert unwritten(layer=source.format(method="weight_loader")) == set()
    assert unwritten(layer=source.format(method="equal")) == {"_weight"}


def test_what_only_reads_the_module_does_not_initialize_it(unwritten: Callable[..., set[str]]) -> None:
    source = """
        import away

        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))

            def {name}(self):
                away.copy(self._weight)

        def use(layer: Layer):
            layer.{name}()
        """
    assert unwritten(layer=source.format(name="export")) == {"_weight"}
    assert unwritten(layer=source.format(name="prepare")) == set()


def test_a_name_that_is_made_of_unknown_values_is_shown_without_them(unwritten: Callable[..., set[str]]) -> None:
    source = """
        class Layer(nn.Module):
            def __init__(self, n):
                super().__init__()
                for i in range(n):
                    self.register_buffer(f"bias_{i}", torch.empty(n))
        """
    assert unwritten(layer=source) == {"bias_*"}


def test_what_is_said_is_the_same_in_every_run(analyzed: Callable[..., dict[str, Observation]]) -> None:
    """Objects of which nothing is known are told apart by a number, which is of no use to a reader."""
    seen = analyzed(
        layer="""
        import unknown
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(unknown.size(), 3)
                self.scale = nn.Parameter(torch.empty(3))
                if self.inner.in_features > 3:
                    nn.init.ones_(self.scale)
                else:
                    nn.init.ones_(self.inner.weight)
                self.gain = nn.Parameter(torch.empty(3))
                unknown.build(self.inner, self.inner.in_features).fill(self.gain)
        """
    )["layer"]
    said = [*(one.gap for one in seen.parameters), *(one.reason for one in seen.undecided)]
    assert [text for text in said if text and "in_features" in text], said
    assert [text for text in said if text and "#" in text] == []


NAMED = [
    "for k, v in n.items(): self.register_parameter(k, nn.Parameter(torch.empty(v)))|k in n|k",
    "for i in range(9): setattr(self, 'w%d' % i, nn.Parameter(torch.empty(3)))|i in range(n)|'w%d' % i",
    "for i in range(n): setattr(self, 'w_%d' % i, nn.Parameter(torch.empty(3)))|i in range(n)|'w_' + str(i)",
    "for i, s in enumerate(n): setattr(self, f'w{i}', nn.Parameter(torch.empty(s)))|i in range(len(n))|f'w{i}'",
    "for i, s in enumerate(n, 1): setattr(self, f'w{i}', nn.Parameter(torch.empty(s)))|j in range(1, len(n))|f'w{j}'",
]


@pytest.mark.parametrize("reach", ["getattr(self, {})", "self.get_parameter({})"])
@pytest.mark.parametrize("named", NAMED)
def test_a_name_that_is_computed_in_another_way_may_be_the_same(
    named: str, reach: str, unwritten: Callable[..., set[str]]
) -> None:
    made, each, name = named.split("|")
    layer = """
    class Layer(nn.Module):
        def __init__(self, n):
            super().__init__()
            {}
            for {}:
                nn.init.ones_({})
    """
    assert unwritten(layer=layer.format(made, each, reach.format(name))) == set()


def test_a_name_that_begins_otherwise_is_another_one(unwritten: Callable[..., set[str]]) -> None:
    layer = """
    class Layer(nn.Module):
        def __init__(self, n):
            super().__init__()
            for i, s in enumerate(n):
                setattr(self, f"w_{i}", nn.Parameter(torch.empty(s)))
                setattr(self, f"b_{i}", nn.Parameter(torch.empty(s)))
            self.gain = nn.Parameter(torch.empty(3))
            for i in range(len(n)):
                nn.init.ones_(getattr(self, f"w_{i}"))
    """
    assert unwritten(layer=layer) == {"b_*", "gain"}


@pytest.mark.parametrize(
    ("base", "made", "written"),
    [
        ("nn.LSTMCell", "self.extra = nn.Parameter(torch.empty(n, n))", "self.reset_parameters()"),
        ("nn.GRU", "self.extra = nn.Parameter(torch.empty(n, n))", "super().reset_parameters()"),
        ("nn.Transformer", "self.extra = nn.Parameter(torch.empty(n, n))", "self._reset_parameters()"),
        ("nn.Linear", "self.weight = nn.Parameter(torch.empty(n, n))", "nn.Linear.reset_parameters(self)"),
        ("nn.Embedding", "self.weight = nn.Parameter(torch.empty(n, n))", "nn.Embedding.reset_parameters(self)"),
    ],
)
def test_what_the_initializer_of_a_torch_layer_walks_is_written(
    base: str, made: str, written: str, unwritten: Callable[..., set[str]]
) -> None:
    layer = (
        f"class Layer({base}):\n    def __init__(self, n):\n        super().__init__(n, n)\n        {made}\n        "
    )
    assert unwritten(layer=layer + written) == set()
    assert unwritten(layer=layer + "self.train()") != set()


def test_the_initializer_of_a_linear_layer_writes_its_own_parameters_only(unwritten: Callable[..., set[str]]) -> None:
    layer = """
    class Layer(nn.Linear):
        def __init__(self, n):
            super().__init__(n, n)
            self.extra = nn.Parameter(torch.empty(n, n))
            self.reset_parameters()
    """
    assert unwritten(layer=layer) == {"extra"}


def test_a_parent_that_writes_whatever_it_is_told_to(unwritten: Callable[..., set[str]]) -> None:
    files = """
    class Layer(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(n, n))
            self.bias = nn.Parameter(torch.empty(n))

    class Model(nn.Module):
        def __init__(self, values):
            super().__init__()
            self.layer = Layer(4)
            for name, value in values.items():
                self.{}(name).data.copy_(value)
    """
    assert unwritten(layer=files.format("get_parameter")) == set()
    assert unwritten(layer=files.format("describe")) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ("parameter.data.copy_(value)", set()),
        ("parameter.data = value", set()),
        ("parameter[:2].zero_()", set()),
        ("unknown.fill(parameter)", set()),
        ("value.reshape(parameter.shape)", {"weight", "bias"}),
        ("print(parameter.numel())", {"weight", "bias"}),
    ],
)
@pytest.mark.parametrize("reach", ["self.get_parameter(name)", "getattr(self, name)"])
def test_looking_at_what_a_computed_name_leads_to_writes_nothing(
    reach: str, done: str, left: set[str], unwritten: Callable[..., set[str]]
) -> None:
    layer = f"""
    import unknown
    class Layer(nn.Module):
        def __init__(self, n, values):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(n, n))
            self.bias = nn.Parameter(torch.empty(n))
            for name, value in values.items():
                parameter = {reach}
                {done}
    """
    assert unwritten(layer=layer) == left


def test_a_parameter_stays_one_where_another_path_makes_a_buffer_of_its_name(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    seen = analyzed(
        layer="""
        class Layer(nn.Module):
            def __init__(self, n, train=False):
                super().__init__()
                if train:
                    self.sigma = nn.Parameter(torch.empty(n))
                else:
                    self.register_buffer("sigma", torch.empty(n))
        """
    )["layer"]
    by_row = {each.allocation.place.row: each.kind.value for each in seen.parameters if each.allocation is not None}
    assert [by_row[row] for row in sorted(by_row)] == ["parameter", "buffer"]


SIZES = {
    "another branch": ("if isinstance(n, int):\n    self.s = nn.Parameter(torch.zeros(n))\nelse:", False),
    "what runs where it is no integer": (
        "if isinstance(n, int):\n    self.s = nn.Parameter(torch.zeros(n))\n    return\nif True:",
        False,
    ),
    "the same branch": (
        "if isinstance(n, int):\n    self.s = nn.Parameter(torch.zeros(n))\nif isinstance(n, int):",
        True,
    ),
    "a branch that says nothing of its type": ("if flag:\n    self.s = nn.Parameter(torch.zeros(n))\nelse:", True),
    "a check of its type": ("if not isinstance(n, int):\n    raise TypeError\nself.s = torch.zeros(n)\nif flag:", True),
}


@pytest.mark.parametrize(("before", "is_size"), SIZES.values(), ids=SIZES.keys())
def test_what_is_a_size_in_a_branch_that_tests_its_type_may_be_data_elsewhere(
    before: str, is_size: bool, unwritten: Callable[..., set[str]]
) -> None:
    head = "class Layer(nn.Module):\n    def __init__(self, n, flag):\n        super().__init__()\n"
    body = textwrap.indent(f"{before}\n    self.w = nn.Parameter(torch.Tensor(n))\n", " " * 8)
    assert unwritten(layer=head + body) == ({"w"} if is_size else set())


def test_a_line_may_go_on_further_to_the_left_than_its_function_begins(unwritten: Callable[..., set[str]]) -> None:
    rows = [
        "class Layer(nn.Module):",
        "    def __init__(self, n):",
        "        super().__init__()",
        "        self.a = nn.Parameter(torch.empty(n,",
        "    3))",
        "        self.b = nn.Parameter(torch.empty(n,",
        "3))",
        "        self.c = nn.Parameter(torch.empty(n, 3))",
        "        self.reset()",
        "    def reset(self):",
        "        nn.init.ones_(self.b)",
    ]
    assert unwritten(layer="\n".join(rows)) == {"a", "c"}


@pytest.mark.parametrize(("name", "left"), [("convert", {"weight"}), ("init_model", set())])
def test_only_an_initializer_that_is_too_long_to_follow_may_have_written(
    name: str, left: set[str], unwritten: Callable[..., set[str]]
) -> None:
    tests = "\n".join(f"    if state.is_{number}: kind = {number}" for number in range(300))
    layer = "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    layer += "        self.weight = nn.Parameter(torch.empty(3))\n"
    other = f"from layer import Layer\ndef {name}(model: Layer, state):\n{tests}\n    state.copy_to(model.weight)\n"
    other += f"\n{name}(Layer(), object())\n"
    assert unwritten(layer=layer, other=other) == left
