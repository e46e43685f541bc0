"""Source text to syntax trees: Python's own, slice by slice, or those that libcst's nodes are lowered to."""
