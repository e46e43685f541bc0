"""The symbolic run: Python and torch as far as constructors use them, every effect under its path condition.

``conditions`` and ``values`` are what is computed with, ``frames`` and ``run`` the state of one run and what its parts
ask of one another. Each further module imports only those before it: ``computed_names``, ``tensors``, ``arithmetic``,
``signals``, ``training``, ``torch``, ``builtin_functions``, ``holders``, ``calls``, ``expressions``, ``execution``;
``interpreter`` puts them together. What torch's modules, layers and functions do is in the folder ``torch``, in tables
by name. Nobody outside needs more than ``Interpreter``, ``execute`` and the values.
"""
