"""Run a model forward: which inputs it gets, what unwritten elements hold meanwhile, and what the passes show."""
