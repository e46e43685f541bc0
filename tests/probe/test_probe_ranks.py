"""What several ranks show of one model, in real runs of two and of four processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from initaudit.rules import catalogue

RUN = """
import importlib.util, json, sys
import torch.distributed as dist
import initaudit, initaudit.probe.ranks.compared
from initaudit.integrations import before_training

dist.init_process_group("gloo")
rank = dist.get_rank()
answers = {}
for name in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if hasattr(module, "batch"):
        report = before_training(module.build(), module.batch(), on_finding="log", isolated=True)
    else:
        report = initaudit.audit(module.build if hasattr(module, "again") else module.build(), isolated=True)
    answers[name] = {
        "codes": [finding.code for finding in report.findings],
        "messages": [finding.message for finding in report.findings],
        "severities": [finding.severity.value for finding in report.findings],
        "exit": report.exit_code(),
        "told": str(report),
        "errors": report.errors,
        "warnings": report.warnings,
        "values": {
            one.path: [one.values.mean, one.values.std, one.values.max, one.values.nan]
            for one in report.observations[0].parameters if one.values
        },
        "signal": report.observations[0].signal is not None,
    }
with open(f"{sys.argv[1]}/answer{rank}.json", "w") as file:
    json.dump(answers, file)
dist.destroy_process_group()
"""

NET = """
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, Replicate, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(16, width, padding_idx=0)
        self.norm = nn.BatchNorm1d(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.register_buffer("angles", torch.arange(16.0)[:, None] * torch.rand(64))

    def forward(self, tokens):
        return self.down(self.up(self.norm(self.embed(tokens))).relu())


"""

BATCH = """

def batch():
    torch.manual_seed(dist.get_rank())
    return torch.randint(0, 16, (32,)), torch.zeros(32)
"""
AGAIN = "\n\nagain = True\n"
RIGHT = {
    "built": f"return fully_shard(Net(64)){AGAIN}",
    "built_on_meta": f"""
    with torch.device("meta"):
        model = nn.Sequential(nn.Embedding(16, 32), nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 3))
    fully_shard(model)
    model.to_empty(device="cpu")
    for module in model:
        module.reset_parameters()
    return model{AGAIN}""",
    "built_and_split": f"""
    plan = {{"up": ColwiseParallel(), "down": RowwiseParallel()}}
    return parallelize_module(Net(), init_device_mesh("cpu", (dist.get_world_size(),)), plan){AGAIN}""",
    "wrapped_with_batch": f"torch.manual_seed(dist.get_rank()); return DistributedDataParallel(Net()){BATCH}",
    "sharded_with_batch": f"torch.manual_seed(0); return fully_shard(Net()){BATCH}",
    "wrapped": "torch.manual_seed(dist.get_rank()); return DistributedDataParallel(Net())",
    "wrapped_beside_ignored": """
    torch.manual_seed(dist.get_rank())
    model = Net()
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, ["up.weight"])
    return DistributedDataParallel(model)""",
    "plain": "torch.manual_seed(0); return Net()",
    "half": "torch.manual_seed(0); return fully_shard(Net().to(torch.bfloat16))",
    "sharded": """
    torch.manual_seed(0)
    model = Net()
    for module in (model.up, model.down, model):
        fully_shard(module)
    return model""",
    "sharded_on_meta": """
    with torch.device("meta"):
        model = nn.Sequential(nn.Embedding(16, 32), nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 8))
    fully_shard(model)
    model.to_empty(device="cpu")
    torch.manual_seed(dist.get_rank())
    for module in model:
        module.reset_parameters()
    return model""",
    "tensor_parallel": """
    torch.manual_seed(0)
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    return parallelize_module(Net(), init_device_mesh("cpu", (dist.get_world_size(),)), plan)""",
    "distributed": """
    torch.manual_seed(dist.get_rank())
    model, mesh = nn.Linear(32, 32), init_device_mesh("cpu", (dist.get_world_size(),))
    model.weight = nn.Parameter(distribute_tensor(model.weight.detach(), mesh, [Shard(1)]))
    model.bias = nn.Parameter(distribute_tensor(model.bias.detach(), mesh, [Replicate()]))
    return model""",
    "two_dimensional": """
    torch.manual_seed(0)
    mesh = init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("replicate", "shard"))
    return fully_shard(Net(), mesh=mesh)""",
    "constant": """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 32), nn.LayerNorm(32), nn.Linear(32, 32))
    nn.init.zeros_(model[2].weight)
    return fully_shard(model)""",
    "stages": """
    torch.manual_seed(dist.get_rank())
    return nn.Sequential(nn.Linear(32, 32), *[nn.Linear(32, 32)] * dist.get_rank())""",
    "uneven": "torch.manual_seed(0); return fully_shard(nn.Sequential(nn.Linear(17, 3), nn.Linear(3, 1)))",
    "flat": """
    from torch.distributed.fsdp import FullyShardedDataParallel
    torch.manual_seed(0)
    return FullyShardedDataParallel(Net(), use_orig_params=True, device_id=torch.device("cpu"))""",
}
WRONG = {
    "drawn_apart": """
    model = DistributedDataParallel(Net())
    torch.manual_seed(dist.get_rank())
    nn.init.normal_(model.module.up.weight, std=0.02)
    return model""",
    "columns_alike": """
    torch.manual_seed(0)
    model, mesh = nn.Linear(32, 64, bias=False), init_device_mesh("cpu", (dist.get_world_size(),))
    local = nn.init.xavier_uniform_(torch.empty(64 // mesh.size(), 32))
    model.weight = nn.Parameter(DTensor.from_local(local, mesh, [Shard(0)]))
    return model""",
    "half_alike": """
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64)).to(torch.bfloat16)
    fully_shard(model)
    model.to_empty(device="cpu")
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter.to_local(), std=0.02)
    return model""",
    "left": f"""
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.Linear(64, 32))
    fully_shard(model)
    model.to_empty(device="cpu")
    model[1].reset_parameters()
    return model{AGAIN}""",
    "left_on_one": f"""
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(32, 64), nn.Linear(64, 32))
    fully_shard(model)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        if dist.get_rank() == 0:
            nn.init.normal_(parameter.to_local())
    return model{AGAIN}""",
    "replicated_apart": """
    torch.manual_seed(dist.get_rank())
    mesh = init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("replicate", "shard"))
    return fully_shard(Net(), mesh=mesh)""",
    "random_buffer": """
    torch.manual_seed(0)
    model = Net()
    model.register_buffer("features", torch.randn(32, 32, generator=torch.Generator().manual_seed(dist.get_rank())))
    return fully_shard(model)""",
    "zeros_with_batch": f"""
    model = Net()
    nn.init.zeros_(model.up.weight)
    nn.init.zeros_(model.up.bias)
    return DistributedDataParallel(model){BATCH}""",
    "not_a_number": """
    torch.manual_seed(0)
    model = Net()
    with torch.no_grad():
        model.up.weight[-1].fill_(float("nan"))
    return fully_shard(model)""",
    "half_meta": """
    torch.manual_seed(0)
    model = Net()
    model.up.to("meta")
    return model""",
    "all_meta": """
    with torch.device("meta"):
        return fully_shard(Net())""",
}


ON_FOUR = ["drawn_apart", "columns_alike", "left", "replicated_apart", "built", "built_on_meta", "built_and_split"]
ON_FOUR += ["wrapped", "sharded", "sharded_on_meta", "tensor_parallel", "distributed", "two_dimensional", "uneven"]
"""What is run on four ranks, too: what is wrong, and what is set up well."""


def run(folder: Path, sources: dict[str, str], script: str = RUN, ranks: int = 2) -> None:
    """Run a script on several ranks, with files of these names."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "run.py").write_text(script, encoding="utf-8")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command += ["run.py", str(folder), *sources]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


EXAMPLES = {
    f"{rule.code}_{kind}_{number}": (rule, example, kind)
    for rule in catalogue().values()
    for kind, listed in (("invalid", rule.invalid), ("valid", rule.valid))
    for number, example in enumerate(listed)
    if example.ranks == 2
}


def models(bodies: dict[str, str]) -> dict[str, str]:
    return {name: f"{NET}def build():\n    {body.strip()}\n" for name, body in bodies.items()}


@pytest.fixture(scope="module")
def answers_of_four(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What all of four ranks say."""
    folder = tmp_path_factory.mktemp("ranks")
    run(folder, models({name: (RIGHT | WRONG)[name] for name in ON_FOUR}), ranks=4)
    return [json.loads((folder / f"answer{rank}.json").read_text(encoding="utf-8")) for rank in range(4)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both ranks say of every model of this file, and of every example of a rule that takes two ranks."""
    sources = models(RIGHT | WRONG)
    sources |= {name: example.text() for name, (_, example, _) in EXAMPLES.items()}
    folder = tmp_path_factory.mktemp("ranks")
    run(folder, sources)
    return [json.loads((folder / f"answer{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]


pytestmark = pytest.mark.xdist_group("ranks")


@pytest.mark.parametrize("name", EXAMPLES)
def test_two_ranks_find_in_an_example_what_its_rule_says(answers: list[dict[str, Any]], name: str) -> None:
    rule, example, kind = EXAMPLES[name]
    expected = example.count if kind == "invalid" else 0
    assert [code for code in answers[0][name]["codes"] if code == rule.code] == [rule.code] * expected
    assert kind == "invalid" or answers[0][name]["codes"] == []


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_set_up_well_is_silent(answers: list[dict[str, Any]], name: str) -> None:
    assert [answers[rank][name]["messages"] for rank in range(2)] == [[], []]
    assert not answers[0][name]["errors"]
    assert answers[0][name]["values"] or name.startswith("built")


def test_all_ranks_answer_the_same_and_the_first_tells_it(answers: list[dict[str, Any]]) -> None:
    first, second = ({name: {**one, "told": ""} for name, one in answer.items()} for answer in answers)
    assert first == second
    assert {one["told"] for one in answers[1].values()} == {""}
    assert "INI801" in answers[0]["replicated_apart"]["told"]


def test_replicas_of_shards_and_random_buffers_that_differ_are_found(answers: list[dict[str, Any]]) -> None:
    apart, buffer = answers[0]["replicated_apart"], answers[0]["random_buffer"]
    assert ("INI801", "error") in zip(apart["codes"], apart["severities"], strict=True)
    assert (buffer["codes"], buffer["severities"]) == (["INI801"], ["warning"])
    assert "`features` differs between ranks 0 and 1" in buffer["messages"][0]


def test_replicas_that_are_drawn_apart_and_columns_that_are_drawn_alike_are_found(
    answers: list[dict[str, Any]],
) -> None:
    assert [answers[0][name]["codes"] for name in ("drawn_apart", "columns_alike")] == [["INI801"], ["INI802"]]


def test_four_ranks_find_what_two_find(answers_of_four: list[dict[str, Any]]) -> None:
    for answer in answers_of_four:
        codes = {name: set(one["codes"]) for name, one in answer.items() if one["codes"]}
        assert codes == {
            "drawn_apart": {"INI801"},
            "columns_alike": {"INI802"},
            "left": {"INI803"},
            "replicated_apart": {"INI801"},
        }
        assert not any(one["errors"] for one in answer.values())
    assert "on ranks 0, 1, 2 and 3" in answers_of_four[0]["left"]["messages"][0]


def test_values_of_half_precision_are_random_too(answers: list[dict[str, Any]]) -> None:
    assert answers[0]["half_alike"]["codes"] == ["INI802"]
    assert answers[0]["half"]["codes"] == []


def test_statistics_of_shards_are_those_of_the_whole(answers: list[dict[str, Any]]) -> None:
    whole, shards = (answers[1][name]["values"] for name in ("plain", "sharded"))
    assert {path: pytest.approx(values) for path, values in whole.items()} == shards


def test_what_one_rank_holds_is_judged_on_all(answers: list[dict[str, Any]]) -> None:
    assert [answer["not_a_number"]["codes"] for answer in answers] == [["INI601"], ["INI601"]]
    assert "32 NaN" in answers[0]["not_a_number"]["messages"][0]


def test_a_batch_of_each_rank_is_run_where_that_takes_no_other_rank(answers: list[dict[str, Any]]) -> None:
    assert [answer["zeros_with_batch"]["codes"] for answer in answers] == [["INI502"], ["INI502"]]
    assert [answers[1][f"{name}_with_batch"]["signal"] for name in ("wrapped", "sharded")] == [True, False]


def test_what_a_factory_leaves_unwritten_is_found_whatever_the_memory_holds(answers: list[dict[str, Any]]) -> None:
    left, one = answers[0]["left"], answers[1]["left_on_one"]
    assert (left["codes"], one["codes"]) == (["INI803"], ["INI803"])
    assert "`0.weight` and 3 more are sharded, and nothing writes their shards on ranks 0 and 1" in left["messages"][0]
    assert "nothing writes their shards on rank 1" in one["messages"][0]


def test_what_is_on_meta_is_never_clean(answers: list[dict[str, Any]]) -> None:
    half, whole = answers[0]["half_meta"], answers[1]["all_meta"]
    (warning,) = half["warnings"]
    assert "up.weight" in warning and "not judged: on meta" in warning
    assert warning in half["told"]
    assert whole["exit"] == 2
    assert "every parameter and buffer is on meta" in whole["errors"][0]


ABSENT = """
import json, os
import torch.distributed as dist
from torch import nn
import initaudit, initaudit.probe.ranks.compared

dist.init_process_group("gloo")
rank, answers = dist.get_rank(), []


def audit():
    report = initaudit.audit(nn.Linear(4, 4), isolated=True)
    answers.append([report.exit_code(), str(report)])


if rank == 0:
    initaudit.probe.ranks.compared.TIMEOUT = 2.0
    audit()
dist.barrier()
initaudit.probe.ranks.compared.TIMEOUT = 60.0
audit()
if rank == 1:
    os._exit(0)
initaudit.probe.ranks.compared.TIMEOUT = 2.0
audit()
with open("answers.json", "w") as file:
    json.dump(answers, file)
os._exit(0)
"""


def test_a_rank_that_does_not_ask_or_is_gone_is_named_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    run(tmp_path, {}, ABSENT)
    absent, present, gone = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    for code, told in (absent, gone):
        assert code == 2
        assert "rank 1 did not answer within 2 s: call `initaudit.audit` on every rank" in told
    assert present[0] == 0
    assert "did not answer" not in present[1]
