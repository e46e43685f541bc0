"""Operators of ATen by what they do to a signal. Products with a weight are in ``products``."""

from __future__ import annotations

NORMALIZATIONS = frozenset({
    "native_layer_norm", "native_batch_norm", "_native_batch_norm_legit", "native_group_norm", "instance_norm",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_impl_index", "_fused_rms_norm", "rms_norm",
    "_batch_norm_with_update", "_batch_norm_no_update", "layer_norm", "group_norm", "batch_norm",
})  # fmt: skip
SCALES = frozenset({"rsqrt", "linalg_vector_norm", "norm", "sqrt", "reciprocal", "std", "std_mean", "var"})
"""Operators whose result a handwritten normalization divides by or multiplies with."""
OPAQUE = frozenset({
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math", "glu", "_trilinear",
    "_scaled_dot_product_efficient_attention", "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu",
    "mkldnn_rnn_layer", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_transformer_encoder_layer_fwd",
    "_native_multi_head_attention",
})  # fmt: skip
"""Operators that are whole layers; no signal is followed through them."""
COPIES = frozenset({"clone", "_to_copy", "contiguous"})
ERF = "erf"
GATES = {"sigmoid": "silu", "tanh": "gelu", ERF: "gelu"}
"""The activation that results if an input is multiplied by this function of itself: SiLU, handwritten GELU."""
SCORES = frozenset({"nll_loss_forward", "nll_loss2d_forward", "nll_loss", "nll_loss_nd"})
"""Losses over classes that take log probabilities."""
