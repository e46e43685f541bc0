"""INI507: a low-rank adapter that does not start at zero."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Default, Example, Rule
from initaudit.subjects.weights import LowRankFactors


class AdapterNotIdentity(Rule[LowRankFactors]):
    """
    ## What it does
    Reports a low-rank adapter (LoRA, AdaLoRA, LoHa, LoKr) whose factors all start random, so that their product is not
    zero.

    ## Why is this bad?
    The output of an adapter is added to that of a trained layer. With one factor at zero, the adapted model starts
    equal to the base model; with none, every adapted layer starts with added noise, and training starts from a higher
    loss.

    ## Example
    ```python
    nn.init.normal_(self.lora_A, std=0.02)
    nn.init.normal_(self.lora_B, std=0.02)
    ```

    ## Use instead
    ```python
    nn.init.normal_(self.lora_A, std=0.02)
    nn.init.zeros_(self.lora_B)
    ```

    ## Known problems
    Factors are recognized by their names. Any of them may be the zero one. An adapter that is written by anything other
    than an initializer is not judged: some start from a decomposition of the weight and subtract it from the weight.
    Gates of adaLN-Zero are not judged yet.

    ## References
    - [Hu et al. 2021, LoRA](https://arxiv.org/abs/2106.09685)
    - [peft#1884: AdaLoRA's lora_E was not zero](https://github.com/huggingface/peft/pull/1884)
    """

    code = "INI507"
    name = "adapter-not-identity"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
    observers = BOTH
    subject = LowRankFactors
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class LoRALinear(nn.Module):
                def __init__(self, base, rank):
                    super().__init__()
                    self.base = base
                    self.lora_A = nn.Parameter(torch.empty(rank, base.in_features))
                    self.lora_B = nn.Parameter(torch.empty(base.out_features, rank))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
                    nn.init.normal_(self.lora_B, std=0.02)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class LoRALinear(nn.Module):
                def __init__(self, base, rank):
                    super().__init__()
                    self.base = base
                    self.lora_A = nn.Parameter(torch.randn(rank, base.in_features))
                    self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))

            class LoRAEmbedding(nn.Module):
                def __init__(self, base, rank):
                    super().__init__()
                    self.lora_A = nn.Parameter(torch.empty(rank, base.num_embeddings))
                    self.lora_B = nn.Parameter(torch.empty(base.embedding_dim, rank))
                    nn.init.zeros_(self.lora_A)
                    nn.init.normal_(self.lora_B)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class LoRALinear(nn.Module):
                def __init__(self, base, rank):
                    super().__init__()
                    self.lora_A = nn.Linear(base.in_features, rank, bias=False)
                    self.lora_B = nn.Linear(rank, base.out_features, bias=False)
                    u, s, v = torch.linalg.svd(base.weight, full_matrices=False)
                    self.lora_A.weight.data = v[:rank]
                    self.lora_B.weight.data = u[:, :rank]
            """,
        ),
    )

    def check(self, subject: LowRankFactors) -> Iterator[Finding]:
        if subject.zero:
            return
        names = ", ".join(f"`{name}`" for name in subject.random)
        yield self.finding(
            subject.place,
            f"{names} all start random, so the adapter changes the model before training; "
            f"initialize `{subject.name}` to zero",
            evidence=[Evidence(subject.observer, "no factor of the product is zero")],
            model=subject.model,
            parameter=subject.name,
        )
