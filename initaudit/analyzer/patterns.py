"""What a file's text must hold for a rule to have anything to look at there.

The patterns are wide on purpose: they only spare parsing, they decide nothing.
"""

from __future__ import annotations

RAW = r"Tensor\s*\(|\bempty\w*\s*\(|\bnew_empty\w*\s*\(|\.new\s*\("
LOOP = r"^[ \t]*for\b[^\n]*(?:parameters|modules|children)\("
DROPPED = (
    r"^[ \t]*[\w.]+\.(?:full|zeros|ones|randn?|randint|normal|empty|clamp|clip|mul|div|add|sub|neg|abs|exp|sqrt|pow|"
    r"masked_fill|index_fill|fill|copy|uniform|zero|multiply|divide)(?:_like)?\("
)
BARE = r"^[ \t]*[\w.]+(?:_|\.apply|\.reset_parameters|init\w*|weights)[ \t]*(?:#[^\n]*)?$"
TYPE_TEST = (
    r"\bor[ \t]+[\w.]*\b[A-Z]\w*[ \t]*[:)\n]|isinstance\(\w+,[^()\n]*\b(?:or|and)\b|(?:\bis|==)[ \t]+"
    r"(?!None|True|False)(?:\w+\.)*[A-Z][a-z]"
)
DEPRECATED = (
    "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
    "orthogonal", "sparse",
)  # fmt: skip
DEPRECATED_CALL = (
    r"\b(?:xavier_uniform|xavier_normal|kaiming_uniform|kaiming_normal|orthogonal|dirac)[ \t]*\("
    r"|(?:\b\w*init\w*\.|(?<![.\w]))(?:uniform|normal|constant|eye|sparse)[ \t]*\("
)
MODEL_USE = r"\.(?:(?:named_)?(?:parameters|modules|children|buffers)|apply|state_dict)\(|\binit\.\w+_?\("
SCALE = r"xavier|glorot|(?:normal_|uniform_)\([^\n]*sqrt"

PATTERNS = {
    **dict.fromkeys(("INI101", "INI102", "INI103", "INI104"), RAW),
    **dict.fromkeys(("INI201", "INI204", "INI305"), LOOP),
    "INI202": DROPPED,
    "INI205": BARE,
    "INI301": MODEL_USE,
    "INI302": TYPE_TEST,
    "INI308": DEPRECATED_CALL,
    "INI401": SCALE,
}
