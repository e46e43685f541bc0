"""Syntax of initialization code, not executed: loops over models, type tests, dropped results, unbound names."""
