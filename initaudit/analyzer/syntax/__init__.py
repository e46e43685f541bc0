"""What stands in the source, without running it: loops over models, type tests, dropped results, unbound names."""
