"""`nn.TransformerEncoder` copies the layer it is given, so that all its layers start alike."""

import torch.nn as nn

encoder_layer = nn.TransformerEncoderLayer(d_model=64, nhead=8)
transformer_encoder = nn.TransformerEncoder(encoder_layer, num_layers=6)
for parameter in transformer_encoder.parameters():
    if parameter.dim() > 1:
        nn.init.xavier_uniform_(parameter)
