"""Source text to syntax trees, losslessly: libcst reads the text, and a lowering gives the trees that readers know."""
