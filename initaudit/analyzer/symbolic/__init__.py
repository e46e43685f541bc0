"""The symbolic run: Python and torch as far as constructors use them, every effect under its path condition.

``conditions`` and ``values`` are what is computed with; ``interpreter`` is one run; the other modules say what
statements, expressions, calls, tensors and modules do in it. They need each other, as an interpreter's parts do;
nobody outside needs more than ``Interpreter``, ``execute`` and the values.
"""
