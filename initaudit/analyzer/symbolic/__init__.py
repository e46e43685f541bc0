"""The symbolic run: Python and torch as far as constructors use them, every effect under its path condition.

``conditions`` and ``values`` are what is computed with, ``run`` the state of one run and what its parts ask of one
another. Each further module imports only those before it: ``computed_names``, ``tensors``, ``arithmetic``, ``signals``,
``modules``, ``builtin_functions``, ``calls``, ``expressions``, ``execution``; ``interpreter`` puts them together. What
torch's functions and layers do is in ``torch``, a table by qualified name. Nobody outside needs more than
``Interpreter``, ``execute`` and the values.
"""
