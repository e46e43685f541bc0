"""What torch does in a symbolic run, by name.

``modules`` holds the methods of ``nn.Module``. ``overlay`` finds the handler of a qualified name in the tables of
``factories``, ``initializers``, ``layers`` and ``functions``. To teach the run a function of torch, write a handler and
enter it in the table of its module.
"""
