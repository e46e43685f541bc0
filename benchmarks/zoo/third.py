"""A third of the zoo that was written after all thresholds, and by which none was chosen.

Computed weights, graphs, audio, diffusion, state spaces, and reinforcement learning.
"""

from zoo.specimens import FLAT, SERIES, SMALL, Specimen, broken, healthy

FADES, GROWS = "INI408 INI701 INI703 INI401", "INI407 INI702 INI705 INI703"
CODES = {
    "unit": GROWS,
    "small": FADES,
    "dead": "INI704 INI701 INI703",
    "zero": "INI501 INI502",
    "alike": "INI501",
    "raw": "INI101",
    "half": "INI102",
    "infinite": "INI601",
    "sure": "INI705 INI702",
    "copies": "INI503",
}
NODES, PAIRS, SAMPLES, WAVE, MEL, FRAMES = (
    ("32,20,32",),
    ("32,2",),
    ("32,100",),
    ("32,1,512",),
    ("32,40,16",),
    ("32,1,40,32",),
)
DIFFUSED, VECTORS, POINTS = ("32,3,16,16", "32"), ("64,16", "64"), ("64,2", "64")
PIXELS, OBSERVED = ("32,4,32,32",), ("64,24",)


def planted(
    name: str, of: str, faults: str, sizes: tuple[str, ...], dtype: str | None = None, **kwargs: object
) -> tuple[Specimen, ...]:
    """One specimen for each fault."""
    return tuple(
        broken(f"{name} {fault}", CODES[fault], "planted:Planted", sizes, dtype, of=of, fault=fault, **kwargs)
        for fault in faults.split()
    )


COMPUTED = (
    *(healthy(f"weight norm {n}", "computed:Normed", FLAT, depth=n) for n in (3, 8, 20)),
    healthy("weight norm old", "computed:Normed", FLAT, by="old", depth=5),
    healthy("weight norm tanh", "computed:Normed", FLAT, act="tanh", weight="xavier"),
    healthy("orthogonal tanh", "computed:Normed", FLAT, by="orthogonal", act="tanh", depth=10),
    healthy("orthogonal relu", "computed:Normed", FLAT, by="orthogonal", depth=3),
    healthy("spectral leaky", "computed:Normed", FLAT, by="spectral", depth=3, act="leaky"),
    *(healthy(f"standardized {n}", "computed:Standardized", SMALL, depth=n) for n in (4, 10)),
    *(healthy(f"product {n}", "computed:Product", FLAT, depth=n, rank=r) for n, r in ((3, 8), (8, 32))),
    *(healthy(f"hyper {n}", "computed:Hyper", ("32,48",), depth=n) for n in (3, 6)),
    *(healthy(f"scaled {n}", "computed:Scaled", FLAT, depth=n) for n in (4, 16)),
    *(healthy(f"circulant {n}", "computed:Circulant", FLAT, depth=n) for n in (3, 6)),
    *(healthy(f"flat {n}", "computed:Flat", ("32,48",), depth=n) for n in (4, 12)),
    broken("weight norm written", "INI207", "computed:Normed", FLAT, after="he"),
    broken("weight norm old written", "INI207", "computed:Normed", FLAT, by="old", after="xavier"),
    broken("weight norm grows", GROWS, "computed:Normed", FLAT, gain=4.0),
    broken("weight norm fades", FADES, "computed:Normed", FLAT, gain=0.2),
    broken("weight norm unit", GROWS, "computed:Normed", FLAT, weight="normal 1.0"),
    broken("weight norm default deep", FADES, "computed:Normed", FLAT, weight="default", depth=16),
    broken("spectral deep", FADES, "computed:Normed", FLAT, by="spectral", depth=14),
    broken("orthogonal relu deep", FADES, "computed:Normed", FLAT, by="orthogonal", depth=24),
    broken("standardized large", GROWS, "computed:Standardized", SMALL, gain=10.0),
    broken("standardized faint", FADES, "computed:Standardized", SMALL, gain=0.3),
    broken("product large", GROWS, "computed:Product", FLAT, scale=2.5),
    broken("product faint", FADES, "computed:Product", FLAT, scale=0.3),
    broken("product zeros", "INI502 INI501", "computed:Product", FLAT, constant=0.0),
    broken("product constant", "INI501", "computed:Product", FLAT, constant=0.1),
    broken("hyper unit", GROWS, "computed:Hyper", ("32,48",), std=1.0),
    broken("hyper faint", FADES, "computed:Hyper", ("32,48",), std=0.005),
    broken("scaled not", GROWS, "computed:Scaled", FLAT, power=0.0),
    broken("scaled by the fan", FADES, "computed:Scaled", FLAT, power=1.0),
    broken("circulant unit", GROWS, "computed:Circulant", FLAT, scale=5.6),
    broken("circulant faint", FADES, "computed:Circulant", FLAT, scale=0.1),
    broken("flat large", GROWS, "computed:Flat", ("32,48",), scale=5.0),
    broken("flat faint", FADES, "computed:Flat", ("32,48",), scale=0.2),
    broken("flat zeros", "INI501 INI502", "computed:Flat", ("32,48",), scale=0.0),
)
GRAPHS = (
    *(healthy(f"messages {n}", "graphs:Messages", NODES, depth=n) for n in (1, 2, 4)),
    healthy("messages norm", "graphs:Messages", NODES, depth=8, norm=True),
    healthy("messages plain he", "graphs:Messages", NODES, depth=4, update="plain", weight="he", bias=0.0),
    *(healthy(f"messages gated {n}", "graphs:Messages", NODES, depth=n, update="gate") for n in (2, 4)),
    *(healthy(f"chebyshev {n}", "graphs:Chebyshev", NODES, depth=n) for n in (2, 5)),
    healthy("chebyshev xavier", "graphs:Chebyshev", NODES, depth=2, weight="xavier_uniform"),
    *(healthy(f"equivariant {n}", "graphs:Equivariant", NODES, depth=n) for n in (2, 4)),
    *(healthy(f"graph transformer {n}", "graphs:GraphTransformer", NODES, depth=n) for n in (2, 6)),
    healthy("triples", "graphs:Triples", PAIRS, "int64"),
    *planted("messages", "graphs:Messages", "unit dead raw copies zero", NODES, depth=4, update="plain"),
    *planted("messages norm", "graphs:Messages", "half infinite copies", NODES, depth=4, norm=True),
    *planted("chebyshev", "graphs:Chebyshev", "unit small dead alike zero", NODES, depth=5),
    *planted("equivariant", "graphs:Equivariant", "unit raw copies infinite", NODES),
    *planted("graph transformer", "graphs:GraphTransformer", "copies half sure", NODES),
    broken("triples zeros", "INI502 INI501", "graphs:Triples", PAIRS, "int64", std=0.0),
    broken("triples large", "INI705", "graphs:Triples", PAIRS, "int64", std=2.0),
    broken("messages plain deep", FADES, "graphs:Messages", NODES, depth=12, update="plain"),
)
AUDIO = (
    *(healthy(f"wavenet {n}", "audio:WaveNet", SAMPLES, "int64", depth=n) for n in (4, 10)),
    healthy("wavenet xavier", "audio:WaveNet", SAMPLES, "int64", weight="xavier_uniform", bias=0.0),
    *(healthy(f"waves {n}", "audio:Waves", WAVE, depth=n) for n in (3, 6)),
    healthy("waves he", "audio:Waves", WAVE, depth=5, norm=False, weight="he", bias=0.0),
    healthy("waves leaky", "audio:Waves", WAVE, depth=4, norm=False, weight="he_leaky", bias=0.0, act="leaky"),
    *(healthy(f"separator {n}", "audio:Separator", WAVE, depth=n) for n in (4, 8)),
    healthy("vocoder", "audio:Vocoder", MEL),
    healthy("vocoder weight norm", "audio:Vocoder", MEL, wrapped=True),
    *(healthy(f"recognizer {c}", "audio:Recognizer", FRAMES, cell=c) for c in ("GRU", "LSTM")),
    healthy("recognizer 3", "audio:Recognizer", FRAMES, layers=3),
    *planted("wavenet", "audio:WaveNet", "raw copies sure infinite", SAMPLES, "int64"),
    *planted("waves", "audio:Waves", "unit small dead zero", WAVE, depth=5, norm=False, weight="he", bias=0.0),
    broken("waves default deep", FADES, "audio:Waves", WAVE, depth=12, norm=False),
    *planted("separator", "audio:Separator", "half infinite raw", WAVE),
    *planted("vocoder", "audio:Vocoder", "raw unit", MEL),
    broken("vocoder written", "INI207", "audio:Vocoder", MEL, wrapped=True, after=0.01),
    *planted("recognizer", "audio:Recognizer", "sure half", FRAMES),
)
DIFFUSION = (
    *(healthy(f"dit {n}", "diffusion:DiT", DIFFUSED, depth=n) for n in (2, 4)),
    healthy("dit default", "diffusion:DiT", DIFFUSED, zero=False),
    *(healthy(f"score {n}", "diffusion:Score", VECTORS, depth=n) for n in (2, 6)),
    healthy("score gelu", "diffusion:Score", VECTORS, act="gelu"),
    healthy("fields", "diffusion:Fields", POINTS),
    healthy("fields he", "diffusion:Fields", POINTS, depth=5, act="relu", weight="he"),
    healthy("fields default", "diffusion:Fields", POINTS, act="silu", weight="default", bias=None),
    healthy("noise", "diffusion:Noise", DIFFUSED),
    healthy("noise default", "diffusion:Noise", DIFFUSED, zero=False),
    healthy("noise preconditioned", "diffusion:Noise", DIFFUSED, preconditioned=True, blocks=1),
    *planted("dit", "diffusion:DiT", "copies raw", DIFFUSED),
    *planted("dit default", "diffusion:DiT", "half infinite", DIFFUSED, zero=False),
    *planted("score", "diffusion:Score", "raw half copies", VECTORS),
    *planted("score without norm", "diffusion:Score", "unit", VECTORS, norm=False, depth=6),
    *planted("fields", "diffusion:Fields", "unit small zero alike", POINTS, depth=5),
    *planted("fields relu", "diffusion:Fields", "dead", POINTS, depth=5, act="relu", weight="he"),
    *planted("noise", "diffusion:Noise", "raw infinite copies", DIFFUSED, zero=False),
    broken("fields default deep", FADES, "diffusion:Fields", POINTS, depth=14, act="relu", weight="default", bias=None),
)
STATES = (
    *(
        healthy(f"{kind} {n}", "states:States", SERIES, kind=kind, depth=n)
        for kind in ("diagonal", "unit")
        for n in (2, 5)
    ),
    *(healthy(f"{kind} 3", "states:States", SERIES, kind=kind) for kind in ("selective", "retention", "gated")),
    *(
        healthy(f"{kind} language", "states:States", ("32,12",), "int64", kind=kind, language=True)
        for kind in ("diagonal", "selective", "retention", "gated")
    ),
    *planted("diagonal", "states:States", "copies raw sure", SERIES, kind="diagonal"),
    *planted("unit", "states:States", "copies half infinite", SERIES, kind="unit"),
    *planted("selective", "states:States", "copies raw sure", SERIES, kind="selective"),
    *planted("retention", "states:States", "copies half infinite", SERIES, kind="retention"),
    *planted("gated", "states:States", "copies infinite sure", ("32,12",), "int64", kind="gated", language=True),
    *planted("gated without norm", "states:States", "unit", SERIES, kind="gated", norm=False),
)
CONTROL = (
    healthy("impala", "control:Impala", PIXELS),
    healthy("impala orthogonal", "control:Impala", PIXELS, orthogonal=True),
    healthy("impala one", "control:Impala", PIXELS, widths=(16,)),
    *(healthy(f"soft {n}", "control:Soft", OBSERVED, depth=n) for n in (1, 2)),
    healthy("soft small last", "control:Soft", OBSERVED, last=0.003),
    healthy("soft tanh", "control:Soft", OBSERVED, act="tanh"),
    healthy("distribution noisy", "control:Distribution", OBSERVED),
    healthy("distribution", "control:Distribution", OBSERVED, noisy=False, depth=2),
    *(healthy(f"decisions {n}", "control:Decisions", SERIES, depth=n) for n in (2, 5)),
    healthy("world", "control:World", SERIES),
    healthy("world without norm", "control:World", SERIES, norm=False),
    *planted("impala", "control:Impala", "raw dead infinite", PIXELS),
    *planted("soft", "control:Soft", "unit dead copies half", OBSERVED, depth=3),
    *planted("distribution", "control:Distribution", "unit small dead sure", OBSERVED, noisy=False, depth=3),
    *planted("decisions", "control:Decisions", "copies raw half", SERIES),
    *planted("world", "control:World", "raw infinite", SERIES),
)
THIRD = tuple(one._replace(third=True) for one in (*COMPUTED, *GRAPHS, *AUDIO, *DIFFUSION, *STATES, *CONTROL))
