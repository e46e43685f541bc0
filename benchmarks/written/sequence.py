"""Models of sequences."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class MambaBlock(nn.Module):
    def __init__(self, d_model, d_state=16, expand=2, conv=4):
        super().__init__()
        self.d_inner, self.d_state = expand * d_model, d_state
        self.dt_rank = math.ceil(d_model / 16)
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=False)
        self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, conv, groups=self.d_inner, padding=conv - 1)
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner)
        nn.init.uniform_(self.dt_proj.weight, -(self.dt_rank**-0.5), self.dt_rank**-0.5)
        dt = torch.exp(torch.rand(self.d_inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        a = torch.arange(1, d_state + 1, dtype=torch.float32).repeat(self.d_inner, 1)
        self.A_log = nn.Parameter(torch.log(a))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, x):
        length = x.shape[1]
        x, z = self.in_proj(x).chunk(2, dim=-1)
        x = F.silu(self.conv1d(x.transpose(1, 2))[..., :length].transpose(1, 2))
        dt, b, c = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        dt = F.softplus(self.dt_proj(dt))
        decay = torch.exp(dt[..., None] * -torch.exp(self.A_log))
        write = (dt * x)[..., None] * b[:, :, None, :]
        state, out = torch.zeros_like(write[:, 0]), []
        for t in range(length):
            state = decay[:, t] * state + write[:, t]
            out.append((state * c[:, t, None, :]).sum(-1))
        y = torch.stack(out, 1) + self.D * x
        return self.out_proj(y * F.silu(z))


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Mamba(nn.Module):
    """Gu and Dao, 2023, with a tied head."""

    def __init__(self, vocab=256, d_model=128, layers=4):
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList([MambaBlock(d_model) for _ in range(layers)])
        self.norms = nn.ModuleList([RMSNorm(d_model) for _ in range(layers)])
        self.norm_f = RMSNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab, bias=False)
        self.lm_head.weight = self.embedding.weight
        for layer in self.layers:
            nn.init.kaiming_uniform_(layer.out_proj.weight, a=math.sqrt(5))
            with torch.no_grad():
                layer.out_proj.weight /= math.sqrt(layers)

    def forward(self, ids):
        x = self.embedding(ids)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x))
        return self.lm_head(self.norm_f(x))


class TimeMix(nn.Module):
    def __init__(self, dim, index, layers):
        super().__init__()
        ratio = index / (layers - 1)
        h = torch.arange(dim) / (dim - 1)
        self.time_decay = nn.Parameter(-5 + 8 * h ** (0.7 + 1.3 * ratio))
        self.time_first = nn.Parameter(math.log(0.3) + torch.tensor([(i + 1) % 3 - 1 for i in range(dim)]) * 0.5)
        mix = (torch.arange(dim) / dim) ** (1 - ratio)
        self.mix_k, self.mix_v, self.mix_r = (nn.Parameter(mix.clone()) for _ in range(3))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, x):
        last = F.pad(x, (0, 0, 1, -1))
        k = self.key(x * self.mix_k + last * (1 - self.mix_k))
        v = self.value(x * self.mix_v + last * (1 - self.mix_v))
        r = torch.sigmoid(self.receptance(x * self.mix_r + last * (1 - self.mix_r)))
        w = torch.exp(-torch.exp(self.time_decay))
        k = torch.exp(k.clamp(max=30))
        num, den, out = torch.zeros_like(v[:, 0]), torch.zeros_like(v[:, 0]), []
        for t in range(x.shape[1]):
            now = torch.exp(self.time_first) * k[:, t]
            out.append((num + now * v[:, t]) / (den + now + 1e-8))
            num, den = w * num + k[:, t] * v[:, t], w * den + k[:, t]
        return self.output(r * torch.stack(out, 1))


class ChannelMix(nn.Module):
    def __init__(self, dim, index, layers):
        super().__init__()
        mix = (torch.arange(dim) / dim) ** (1 - index / (layers - 1))
        self.mix_k, self.mix_r = nn.Parameter(mix.clone()), nn.Parameter(mix.clone())
        self.key = nn.Linear(dim, 4 * dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(4 * dim, dim, bias=False)

    def forward(self, x):
        last = F.pad(x, (0, 0, 1, -1))
        k = F.relu(self.key(x * self.mix_k + last * (1 - self.mix_k))) ** 2
        r = torch.sigmoid(self.receptance(x * self.mix_r + last * (1 - self.mix_r)))
        return r * self.value(k)


class RWKV(nn.Module):
    """Peng et al., 2023: version 4."""

    def __init__(self, vocab=256, dim=128, layers=4):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        nn.init.uniform_(self.emb.weight, -1e-4, 1e-4)
        self.ln0 = nn.LayerNorm(dim)
        self.att = nn.ModuleList([TimeMix(dim, i, layers) for i in range(layers)])
        self.ffn = nn.ModuleList([ChannelMix(dim, i, layers) for i in range(layers)])
        self.ln1 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.ln2 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.ln_out = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab, bias=False)
        nn.init.orthogonal_(self.head.weight, gain=0.5)
        for part in (*self.att, *self.ffn):
            for m in part.children():
                nn.init.zeros_(m.weight)
            if isinstance(part, TimeMix):
                nn.init.orthogonal_(part.value.weight)
            else:
                nn.init.orthogonal_(part.key.weight, gain=2)

    def forward(self, ids):
        x = self.ln0(self.emb(ids))
        for ln1, att, ln2, ffn in zip(self.ln1, self.att, self.ln2, self.ffn, strict=True):
            x = x + att(ln1(x))
            x = x + ffn(ln2(x))
        return self.head(self.ln_out(x))


class Retention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.dim = heads, dim
        self.q_proj, self.k_proj = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.v_proj, self.g_proj = nn.Linear(dim, 2 * dim, bias=False), nn.Linear(dim, 2 * dim, bias=False)
        self.out_proj = nn.Linear(2 * dim, dim, bias=False)
        self.group_norm = nn.GroupNorm(heads, 2 * dim, affine=False)
        self.register_buffer("decay", torch.log(1 - 2.0 ** (-5 - torch.arange(heads))))
        for proj in (self.q_proj, self.k_proj, self.v_proj, self.g_proj):
            nn.init.xavier_uniform_(proj.weight, gain=2**-2.5)
        nn.init.xavier_uniform_(self.out_proj.weight, gain=2**-1)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = (p(x).view(b, n, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        steps = torch.arange(n, device=x.device)
        lag = steps[:, None] - steps[None]
        mask = torch.where(lag >= 0, torch.exp(self.decay[:, None, None] * lag), torch.zeros(()).to(x))
        y = ((q @ k.transpose(-1, -2)) * (c // self.heads) ** -0.5 * mask) @ v
        y = self.group_norm(y.transpose(1, 2).reshape(b * n, -1)).view(b, n, -1)
        return self.out_proj(F.silu(self.g_proj(x)) * y)


class RetNet(nn.Module):
    """Sun et al., 2023."""

    def __init__(self, vocab=256, dim=128, heads=4, layers=4):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        nn.init.normal_(self.embed.weight, std=dim**-0.5)
        self.scale = math.sqrt(dim)
        self.retention = nn.ModuleList([Retention(dim, heads) for _ in range(layers)])
        self.ffn = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)) for _ in range(layers)
        )
        self.norm1 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.norm2 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab, bias=False)
        nn.init.normal_(self.head.weight, std=dim**-0.5)

    def forward(self, ids):
        x = self.embed(ids) * self.scale
        for n1, r, n2, f in zip(self.norm1, self.retention, self.norm2, self.ffn, strict=True):
            x = x + r(n1(x))
            x = x + f(n2(x))
        return self.head(self.norm(x))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.query, self.key = nn.Linear(hidden, hidden, bias=False), nn.Linear(2 * hidden, hidden, bias=False)
        self.v = nn.Parameter(torch.empty(hidden))
        nn.init.uniform_(self.v, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))

    def forward(self, state, memory):
        e = torch.tanh(self.query(state)[:, None] + self.key(memory)) @ self.v
        return torch.bmm(e.softmax(-1)[:, None], memory).squeeze(1)


class Seq2Seq(nn.Module):
    """Bahdanau et al., 2015, with LSTMs and teacher forcing."""

    def __init__(self, source=200, target=200, emb=128, hidden=128):
        super().__init__()
        self.src_emb = nn.Embedding(source, emb, padding_idx=0)
        self.tgt_emb = nn.Embedding(target, emb, padding_idx=0)
        self.encoder = nn.LSTM(emb, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.attention = BahdanauAttention(hidden)
        self.cell = nn.LSTMCell(emb + 2 * hidden, hidden)
        self.out = nn.Linear(3 * hidden, target)
        for name, p in self.named_parameters():
            if "encoder" in name or "cell" in name:
                nn.init.uniform_(p, -0.08, 0.08)

    def forward(self, src, tgt):
        memory, _ = self.encoder(self.src_emb(src))
        h = torch.tanh(self.bridge(memory.mean(1)))
        c = torch.zeros_like(h)
        logits = []
        for t in range(tgt.shape[1]):
            context = self.attention(h, memory)
            h, c = self.cell(torch.cat([self.tgt_emb(tgt[:, t]), context], 1), (h, c))
            logits.append(self.out(torch.cat([h, context], 1)))
        return torch.stack(logits, 1)


class Translator(nn.Module):
    """Vaswani et al., 2017, on torch's layers, with one embedding for all."""

    def __init__(self, vocab=256, dim=128, heads=4, layers=3):
        super().__init__()
        self.dim = dim
        self.embed = nn.Embedding(vocab, dim)
        self.transformer = nn.Transformer(dim, heads, layers, layers, 4 * dim, dropout=0.0, batch_first=True)
        self.generator = nn.Linear(dim, vocab, bias=False)
        self.generator.weight = self.embed.weight
        position = torch.arange(512)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
        self.register_buffer("pe", torch.stack([position.sin(), position.cos()], -1).flatten(1))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)
        nn.init.normal_(self.embed.weight, std=dim**-0.5)

    def embedded(self, ids):
        return self.embed(ids) * math.sqrt(self.dim) + self.pe[: ids.shape[1]]

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.shape[1]).to(self.pe)
        return self.generator(self.transformer(self.embedded(src), self.embedded(tgt), tgt_mask=mask))


class CausalAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.c_proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = (t.view(b, n, self.heads, -1).transpose(1, 2) for t in self.c_attn(x).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, n, c))


class MoE(nn.Module):
    def __init__(self, dim, experts=4, top=2):
        super().__init__()
        self.top = top
        self.gate = nn.Linear(dim, experts, bias=False)
        self.w1 = nn.Parameter(torch.empty(experts, dim, 4 * dim))
        self.w2 = nn.Parameter(torch.empty(experts, 4 * dim, dim))
        nn.init.normal_(self.w1, std=0.02)
        nn.init.normal_(self.w2, std=0.02)

    def forward(self, x):
        weights, chosen = self.gate(x).topk(self.top, dim=-1)
        share = torch.zeros(*x.shape[:-1], self.gate.out_features, dtype=x.dtype, device=x.device)
        share = share.scatter(-1, chosen, weights.softmax(-1))
        h = F.gelu(torch.einsum("bnd,edf->bnef", x, self.w1))
        return torch.einsum("bnef,efd,bne->bnd", h, self.w2, share)


class MoEGPT(nn.Module):
    """Radford et al., 2019, with Shazeer's experts in place of the feed-forward layers."""

    def __init__(self, vocab=256, dim=128, heads=4, layers=4, block=64):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(block, dim)
        self.attn = nn.ModuleList([CausalAttention(dim, heads) for _ in range(layers)])
        self.moe = nn.ModuleList([MoE(dim) for _ in range(layers)])
        self.ln1 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.ln2 = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * layers))

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for ln1, attn, ln2, moe in zip(self.ln1, self.attn, self.ln2, self.moe, strict=True):
            x = x + attn(ln1(x))
            x = x + moe(ln2(x))
        return self.lm_head(self.ln_f(x))


class LoRALinear(nn.Module):
    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.empty(base.out_features, rank))
        self.scaling = alpha / rank
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def forward(self, x):
        return self.base(x) + (x @ self.lora_A.t() @ self.lora_B.t()) * self.scaling


class LoRABlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        b, n, c = x.shape
        h = self.norm1(x)
        q, k, v = (p(h).view(b, n, self.heads, -1).transpose(1, 2) for p in (self.q, self.k, self.v))
        x = x + self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))
        return x + self.mlp(self.norm2(x))


class LoRAClassifier(nn.Module):
    """Hu et al., 2022: a frozen encoder whose queries and values are adapted, with a new head."""

    def __init__(self, vocab=256, dim=128, heads=4, layers=3, classes=5):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList([LoRABlock(dim, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)
        for p in self.parameters():
            p.requires_grad = False
        for block in self.blocks:
            block.q = LoRALinear(block.q)
            block.v = LoRALinear(block.v)
        self.score = nn.Linear(dim, classes)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.score(self.norm(x).mean(1))


class TemporalBlock(nn.Module):
    def __init__(self, cin, cout, kernel, dilation):
        super().__init__()
        self.pad = (kernel - 1) * dilation
        self.conv1 = nn.Conv1d(cin, cout, kernel, dilation=dilation)
        self.conv2 = nn.Conv1d(cout, cout, kernel, dilation=dilation)
        nn.init.kaiming_normal_(self.conv1.weight)
        nn.init.kaiming_normal_(self.conv2.weight)
        self.conv1, self.conv2 = weight_norm(self.conv1), weight_norm(self.conv2)
        self.downsample = nn.Conv1d(cin, cout, 1) if cin != cout else None

    def forward(self, x):
        h = F.relu(self.conv1(F.pad(x, (self.pad, 0))))
        h = F.relu(self.conv2(F.pad(h, (self.pad, 0))))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class TCN(nn.Module):
    """Bai et al., 2018: classes of a series."""

    def __init__(self, inputs=8, width=64, levels=5, classes=10):
        super().__init__()
        self.net = nn.Sequential(*[TemporalBlock(inputs if i == 0 else width, width, 3, 2**i) for i in range(levels)])
        self.fc = nn.Linear(width, classes)
        nn.init.normal_(self.fc.weight, 0, 0.01)

    def forward(self, x):
        return self.fc(self.net(x)[:, :, -1])


class DeepSpeech(nn.Module):
    """Amodei et al., 2016: scores of letters for each frame, for CTC."""

    def __init__(self, mels=80, hidden=192, letters=29, layers=3):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 32, (11, 5), stride=(2, 2), padding=(5, 2)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20),
            nn.Conv2d(32, 32, (11, 5), stride=(2, 1), padding=(5, 2)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20),
        )  # fmt: skip
        self.rnn = nn.GRU(32 * mels // 4, hidden, layers, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.fc = nn.Linear(2 * hidden, letters)
        for name, p in self.rnn.named_parameters():
            if "weight_hh" in name:
                for gate in p.chunk(3):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            else:
                nn.init.zeros_(p)

    def forward(self, mel):
        x = self.conv(mel[:, None])
        x, _ = self.rnn(x.flatten(1, 2).transpose(1, 2))
        return self.fc(self.norm(x))


def rotate(x):
    n, d = x.shape[-2:]
    angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class LlamaBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim, bias=False) for _ in range(4))
        hidden = 8 * dim // 3
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.attention_norm, self.ffn_norm = RMSNorm(dim), RMSNorm(dim)

    def forward(self, x):
        b, n, c = x.shape
        h = self.attention_norm(x)
        q, k, v = (p(h).view(b, n, self.heads, -1).transpose(1, 2) for p in (self.wq, self.wk, self.wv))
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        x = x + self.wo(y.transpose(1, 2).reshape(b, n, c))
        h = self.ffn_norm(x)
        return x + self.w2(F.silu(self.w1(h)) * self.w3(h))


class Llama(nn.Module):
    """Touvron et al., 2023."""

    def __init__(self, vocab=512, dim=192, heads=6, layers=6):
        super().__init__()
        self.tok_embeddings = nn.Embedding(vocab, dim)
        self.layers = nn.ModuleList([LlamaBlock(dim, heads) for _ in range(layers)])
        self.norm = RMSNorm(dim)
        self.output = nn.Linear(dim, vocab, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                std = 0.02 / math.sqrt(2 * layers) if name.endswith(("wo.weight", "w2.weight")) else 0.02
                nn.init.trunc_normal_(p, std=std, a=-3 * std, b=3 * std)

    def forward(self, ids):
        x = self.tok_embeddings(ids)
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x))
