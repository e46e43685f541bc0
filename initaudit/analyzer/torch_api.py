"""Knowledge about torch: canonical names, and the effects of its functions on memory.

These are facts about torch's public interface, kept as tables; nothing here imports torch.
"""

from __future__ import annotations

import re

_SUBMODULE = re.compile(
    r"^torch\.nn\.(?:modules(?:\.\w+)?|parameter)\.(?=[A-Z])|^torch\.(?:_tensor|autograd\.variable)\.(?=[A-Z])"
)


def canonical(name: str) -> str:
    """The public spelling of a torch name: ``torch.nn.modules.linear.Linear`` is ``torch.nn.Linear``."""
    return _SUBMODULE.sub(lambda match: "torch.nn." if match[0].startswith("torch.nn") else "torch.", name)


INIT = "torch.nn.init."
OLD_INITIALIZERS = (
    "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform",
    "kaiming_normal", "orthogonal", "sparse",
)  # fmt: skip
"""Initializers under names that torch has given up, without their package."""

# Constructors that take a size or data: random memory for a size.
DRAWS = {
    "normal_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_",
    "orthogonal_",
}  # fmt: skip
"""Initializers that draw random values for all of a tensor."""
LEGACY_CONSTRUCTORS = {
    f"torch.{kind}Tensor": dtype
    for kind, dtype in {
        "": None,
        "Float": "torch.float32",
        "Double": "torch.float64",
        "Half": "torch.float16",
        "BFloat16": "torch.bfloat16",
        "Int": "torch.int32",
        "Long": "torch.int64",
        "Short": "torch.int16",
        "Char": "torch.int8",
        "Byte": "torch.uint8",
        "Bool": "torch.bool",
    }.items()
} | {f"torch.cuda.{kind}Tensor": None for kind in ("Float", "Double", "Half", "Int", "Long", "Byte")}

# Functions that allocate and write nothing; the value says whether the first argument is a size or a tensor to imitate.
RAW_FACTORIES = {
    "torch.empty": "size",
    "torch.empty_strided": "size",
    "torch.empty_permuted": "size",
    "torch.empty_like": "tensor",
}
RAW_METHODS = {"new_empty", "new_empty_strided"}

# Data types that hold packed or quantized weights, which a loader fills.
LOADED_DTYPES = {
    f"torch.{name}"
    for name in (
        "int8", "uint8", "int16", "uint16", "int32", "uint32", "int", "short", "bool", "qint8", "quint8", "qint32",
        "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
    )
}  # fmt: skip

# In-place tensor methods that replace every element, whatever it held.
OVERWRITES = {
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_", "log_normal_",
    "cauchy_", "geometric_", "set_", "trunc_normal_",
}  # fmt: skip
# In-place methods that write some elements.
PARTIAL_WRITES = {
    "fill_diagonal_", "index_fill_", "index_copy_", "index_put_", "masked_fill_", "masked_scatter_", "scatter_",
    "put_", "index_add_", "scatter_add_",
}  # fmt: skip
# Methods that compute new values of a tensor, and that torch also has in place, with an underscore behind the name.
IN_PLACE_FORMS = {
    "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "baddbmm", "bernoulli", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "copysign", "cos",
    "cosh", "cumprod", "cumsum", "deg2rad", "digamma", "div", "divide", "erf", "erfc", "erfinv", "exp", "exp2",
    "expm1", "fix", "float_power", "floor", "floor_divide", "fmod", "frac", "gcd", "heaviside", "hypot", "i0",
    "igamma", "igammac", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "lcm", "ldexp", "lerp",
    "lgamma", "log", "log10", "log1p", "log2", "logit", "masked_fill", "masked_scatter", "mul", "multiply", "mvlgamma",
    "nan_to_num", "neg", "negative", "nextafter", "polygamma", "pow", "put", "rad2deg", "reciprocal", "relu",
    "remainder", "renorm", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce", "sgn", "sigmoid", "sign",
    "sin", "sinc", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "tril", "triu", "true_divide", "trunc",
    "xlogy",
}  # fmt: skip
# In-place methods that compute from what is there, or change only the metadata: garbage stays garbage.
COMPUTES_IN_PLACE = {f"{name}_" for name in IN_PLACE_FORMS} - OVERWRITES - PARTIAL_WRITES
OF_METADATA = {
    "requires_grad_", "share_memory_", "detach_", "t_", "transpose_", "squeeze_", "unsqueeze_", "swapaxes_",
    "swapdims_", "rename_", "retain_grad_",
}  # fmt: skip
NOT_WRITES = COMPUTES_IN_PLACE | OF_METADATA
# Methods whose result is the same memory, whole.
WHOLE_VIEWS = {
    "view", "view_as", "reshape", "t", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "unflatten",
    "detach", "contiguous", "requires_grad_", "detach_", "swapaxes", "swapdims", "movedim", "expand", "expand_as",
    "cuda", "cpu", "float", "half", "double", "bfloat16", "to", "type", "type_as", "clone", "pin_memory",
    "share_memory_", "numpy", "rename", "t_", "squeeze_", "unsqueeze_", "transpose_", "mul_", "div_", "add_", "sub_",
    "clamp_", "__getitem__",
}  # fmt: skip
# Methods whose result is some of the same memory.
PARTIAL_VIEWS = {
    "narrow", "select", "chunk", "split", "unbind", "diagonal", "index_select", "tensor_split", "unfold",
}  # fmt: skip
VIEW_ATTRIBUTES = {"data", "T", "mT", "H", "mH", "real"}

# Modules of torch whose constructor calls this method of the instance.
RESET_BY_CONSTRUCTOR = {
    "Linear": "reset_parameters", "Bilinear": "reset_parameters", "Embedding": "reset_parameters",
    "EmbeddingBag": "reset_parameters", "LayerNorm": "reset_parameters", "RMSNorm": "reset_parameters",
    "GroupNorm": "reset_parameters", "MultiheadAttention": "_reset_parameters", "Transformer": "_reset_parameters",
    "LSTM": "reset_parameters", "GRU": "reset_parameters", "RNN": "reset_parameters", "RNNBase": "reset_parameters",
    "LSTMCell": "reset_parameters", "GRUCell": "reset_parameters", "RNNCell": "reset_parameters",
    "RNNCellBase": "reset_parameters",
    **{
        f"{kind}{n}d": "reset_parameters"
        for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
        for n in (1, 2, 3)
    },
}  # fmt: skip

RESETS_ALL = {
    "LSTM", "GRU", "RNN", "RNNBase", "LSTMCell", "GRUCell", "RNNCell", "RNNCellBase", "Transformer",
}  # fmt: skip
"""Of these, that method walks ``self.parameters()``: it also writes what a subclass added."""

LINEAR_LIKE = {
    "Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Bilinear",
}  # fmt: skip
DRAWN = {
    *LINEAR_LIKE, *RESETS_ALL, "Embedding", "EmbeddingBag", "MultiheadAttention", "TransformerEncoderLayer",
    "TransformerDecoderLayer",
}  # fmt: skip
"""Layers whose weights are drawn when they are made."""
SIZES = {
    **dict.fromkeys(LINEAR_LIKE, 2), "Embedding": 2, "EmbeddingBag": 2, "GroupNorm": 2,
    **dict.fromkeys(("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "MultiheadAttention"), 2),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"), 1),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), 1),
}  # fmt: skip
"""How many of a layer's first arguments can only be integers."""
SWITCHES = {"bias": {"bias"}, "affine": {"weight", "bias"}, "elementwise_affine": {"weight", "bias"}}
"""Arguments of layers, and the parameters that a layer has none of where they are False."""
AT = {
    **{key: {"bias": 2} for key in ("Linear", "LSTMCell", "GRUCell", "RNNCell")}, "RNN": {"bias": 4},
    **{key: {"bias": 3} for key in ("Bilinear", "LSTM", "GRU")},
    **{f"{kind}{n}d": {"bias": 7} for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)},
    **{f"{kind}{n}d": {"affine": 3} for kind in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)},
    "SyncBatchNorm": {"affine": 3}, "GroupNorm": {"affine": 3}, "RMSNorm": {"elementwise_affine": 2},
    "LayerNorm": {"elementwise_affine": 2, "bias": 3},
}  # fmt: skip
"""Where these arguments stand in a call that gives no names."""
OFF_BY_DEFAULT = {f"InstanceNorm{n}d" for n in (1, 2, 3)}
"""Layers that are made without parameters unless one asks for them."""
NORMALIZATIONS = {
    "LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm",
    "LocalResponseNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d",
    "LazyBatchNorm3d",
}  # fmt: skip
STATEFUL = {*DRAWN, *RESET_BY_CONSTRUCTOR, *NORMALIZATIONS, "PReLU"} - {"LocalResponseNorm"}
"""Layers that have parameters or buffers."""
TRANSPARENT = {
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "Identity", "Flatten", "Unflatten", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d", "Upsample", "ZeroPad2d", "ReflectionPad2d", "PixelShuffle",
}  # fmt: skip
BASES = {
    **{f"BatchNorm{n}d": {"_BatchNorm", "_NormBase"} for n in (1, 2, 3)}, "SyncBatchNorm": {"_BatchNorm", "_NormBase"},
    **{f"InstanceNorm{n}d": {"_InstanceNorm", "_NormBase"} for n in (1, 2, 3)},
    **{f"Conv{n}d": {"_ConvNd"} for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": {"_ConvTransposeNd", "_ConvNd"} for n in (1, 2, 3)},
    **{kind: {"RNNBase"} for kind in ("RNN", "LSTM", "GRU")},
    **{f"{kind}Cell": {"RNNCellBase"} for kind in ("RNN", "LSTM", "GRU")},
}  # fmt: skip
"""Classes of torch from which layers with parameters derive, by their last names."""
HOLDS_OTHERS = ("torch.nn.Transformer", "torch.nn.MultiheadAttention", "torch.nn.Lazy", "torch.nn.AdaptiveLogSoftmax")
"""Modules of torch that are, or hold, layers of other classes than their own."""
SEQUENCES = {"torch.nn.ModuleList", "torch.nn.ParameterList", "torch.nn.Sequential"}
MAPPINGS = {"torch.nn.ModuleDict", "torch.nn.ParameterDict"}

# Methods of nn.Module that leave values alone.
HARMLESS_MODULE_METHODS = {
    "train", "eval", "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "requires_grad_", "zero_grad",
    "extra_repr", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_backward_hook", "_register_load_state_dict_pre_hook", "register_load_state_dict_post_hook",
    "_register_state_dict_hook", "state_dict", "register_state_dict_pre_hook", "register_load_state_dict_pre_hook",
    "_register_load_state_dict_hook", "save_hyperparameters", "__init__", "__post_init__", "share_memory", "compile",
    "named_buffers", "buffers", "get_submodule", "type", "float_", "_get_name", "add_hook",
    "set_extra_state", "get_extra_state", "forward", "_log_api_usage_once", "to_empty",
}  # fmt: skip

RETURN_THE_MODULE = {
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "type", "train", "eval", "share_memory",
}  # fmt: skip
"""Methods of nn.Module that return the module itself, and freeze nothing."""

# Modules that hold another one as ``module``.
WRAPPERS = {"DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "AveragedModel"}

OPTIMIZERS = "torch.optim."
NO_DATA = {"shape", "device", "dtype", "ndim", "ndimension", "size", "dim", "numel", "nelement", "is_cuda"}
"""Attributes and methods of a tensor that say nothing of its values."""
NO_GRAD = {"torch.no_grad", "torch.inference_mode", "torch.set_grad_enabled"}
NEW_TENSOR_FACTORIES = {
    f"torch.{name}"
    for name in (
        "full", "full_like", "zeros", "zeros_like", "ones", "ones_like", "rand", "rand_like", "randn", "randn_like",
        "randint", "randint_like", "normal", "empty", "empty_like", "eye", "arange", "linspace",
    )
}  # fmt: skip
ACTIVATION_MODULES = {
    "ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Tanh",
    "Sigmoid", "Softmax", "LogSoftmax", "Hardswish", "Hardtanh", "Hardsigmoid",
}  # fmt: skip
LAYER_NAMES = {*SIZES, *NORMALIZATIONS, *ACTIVATION_MODULES, *TRANSPARENT, *RESET_BY_CONSTRUCTOR}
"""The names of the layers that are known."""
_KNOWN = {
    *RAW_FACTORIES, *NEW_TENSOR_FACTORIES, *LEGACY_CONSTRUCTORS, *NO_GRAD, *SEQUENCES, *MAPPINGS,
    *(f"torch.nn.{name}" for name in ("Module", "Parameter", "Buffer", "init", "functional", "utils")),
    *(f"torch.nn.{name}" for name in LAYER_NAMES),
}  # fmt: skip


TORCH = {"torch", "torchvision", "torchaudio", "timm"}
"""Packages of layers: torch, and those with models for it."""


def is_torch(name: str) -> bool:
    """Whether a dotted name is of torch, or torch itself."""
    return name.partition(".")[0] == "torch"


def is_known(name: str) -> bool:
    """Whether a canonical name is certain to be one of torch's."""
    return name in _KNOWN or (name.startswith(INIT) and name.endswith("_"))


def is_initializer(name: str) -> bool:
    """Whether a full name is that of an initializer of torch, an old one too."""
    return name.startswith(INIT) and (name.endswith("_") or name.removeprefix(INIT) in OLD_INITIALIZERS)
