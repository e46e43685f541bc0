"""The effects of framework methods on a model, as data, so that the analyzer need not follow them.

A method that is not listed is read like any other code.
"""

from __future__ import annotations

# Packages whose functions write no tensor that they are given.
PURE_PACKAGES = {
    "math", "numpy", "np", "warnings", "logging", "copy", "itertools", "operator", "collections", "typing", "os", "re",
    "string", "random", "enum", "dataclasses", "time", "packaging", "inspect", "scipy", "einops",
}  # fmt: skip

ARRAYS = {
    "array", "asarray", "append", "arange", "clip", "concatenate", "cumprod", "cumsum", "diag", "eye", "full",
    "genfromtxt", "geomspace", "hstack", "linspace", "load", "loadtxt", "logspace", "ones", "outer", "repeat", "stack",
    "tile", "vstack", "zeros",
}  # fmt: skip
"""Functions of NumPy that give an array, which is data, and no size."""

# Base classes that are modules, by the names under which they are public: they neither create nor write parameters.
MODULE_BASES = frozenset(
    {
        "lightning.LightningModule",
        "lightning.pytorch.LightningModule",
        "pytorch_lightning.LightningModule",
        "pytorch_lightning.core.LightningModule",
        "mmcv.runner.BaseModule",
        "mmengine.model.BaseModule",
        "mmengine.model.BaseModel",
        "mmengine.model.base_module.BaseModule",
        "torch_geometric.nn.MessagePassing",
        "torch_geometric.nn.conv.MessagePassing",
        "torch_geometric.nn.conv.message_passing.MessagePassing",
    }
)

# Other bases that neither create nor write parameters.
NEUTRAL_BASES = frozenset(
    {
        "object", "abc.ABC", "typing.Generic", "typing.NamedTuple", "typing.Protocol", "typing_extensions.Protocol",
        "collections.OrderedDict", "dict", "list", "tuple", "enum.Enum", "huggingface_hub.PyTorchModelHubMixin",
    }
)  # fmt: skip

KNOWN_BASES = MODULE_BASES | NEUTRAL_BASES

LIGHTNING_MODULES = {name for name in MODULE_BASES if name.endswith(".LightningModule")}
LIGHTNING_HOOKS = (
    "on_",
    "configure_",
    "setup",
    "teardown",
    "prepare_",
    "training_",
    "validation_",
    "test_",
    "predict_",
)
"""What begins the names of the methods that Lightning calls; it calls no others of a module."""

DRAWN_BY = {"transformers": "_init_weights"}
"""The method that a framework calls for each module of a model, by the package of the base."""

# What frameworks do with objects of a class that derives from one of theirs, by the package of that base: the methods
# that they call before the first step, in their order, ...
BEFORE_TRAINING = (
    "prepare_data", "configure_sharded_model", "configure_model", "setup", "on_fit_start", "configure_optimizers",
    "on_sanity_check_start", "on_train_start", "on_train_epoch_start",
)  # fmt: skip
CALLED_BY_FRAMEWORK = {
    "lightning": BEFORE_TRAINING,
    "pytorch_lightning": BEFORE_TRAINING,
    "mmcv": ("init_weights",),
    "mmengine": ("init_weights",),
}
# ... and the argument that says, by the names of parameters and classes, what to draw.
CONFIGURED_BY = {"mmcv": "init_cfg", "mmengine": "init_cfg"}

# Where a model of a framework says which parameters become others, whatever they are made as.
TIES = "_tied_weights_keys"

# Constructors of base classes that neither create nor write parameters.
NEUTRAL_CONSTRUCTORS = frozenset(
    {"transformers.modeling_utils.PreTrainedModel.__init__", "mmengine.model.base_module.BaseModule.__init__"}
)

# Methods that call the named method of the model with each of its modules.
APPLYING_METHODS = {
    "transformers.modeling_utils.PreTrainedModel.post_init": "_init_weights",
    "transformers.modeling_utils.PreTrainedModel.init_weights": "_init_weights",
    "transformers.modeling_utils.PreTrainedModel.initialize_weights": "_init_weights",
}

# Functions that do the same with the model that they are given.
APPLYING_FUNCTIONS = {"transformers.integrations.deepspeed.initialize_weights_zero3": "_init_weights"}

# Context managers that assemble the parameters they are given while they last, and write none.
GATHERS = frozenset({"deepspeed.zero.GatheredParameters"})

# The classes that have these, and with them much that is no initializer.
FRAMEWORK_BASES = frozenset(name.rpartition(".")[0] for name in APPLYING_METHODS)

# Methods that a framework calls with a module of the model, once the model is built.
INITIALIZERS = frozenset({"_init_weights", "init_weights", "_init_module", "initialize_weights"})

# The method of a class that is called once more on a module whose memory was lost.
RESETS = ("reset_parameters", "reset_params")

# Helpers that initialize the weight and bias of a module, and the test behind which they do all of it.
MODULE_HELPERS = {
    f"{package}.{name}": "hasattr(module, 'weight') and module.weight is not None"
    for package in (
        "mmcv.cnn", "mmcv.cnn.utils", "mmcv.cnn.utils.weight_init", "mmengine.model", "mmengine.model.weight_init",
    )
    for name in (
        "constant_init", "xavier_init", "normal_init", "trunc_normal_init", "uniform_init", "kaiming_init",
        "caffe2_xavier_init",
    )
}  # fmt: skip

# Functions that fill what they are given: a tensor, or all parameters of a module.
FILLING_HELPERS = frozenset(
    f"torch_geometric.nn.inits.{name}"
    for name in (
        "uniform", "kaiming_uniform", "glorot", "glorot_orthogonal", "constant", "zeros", "ones", "normal",
    )
)  # fmt: skip
