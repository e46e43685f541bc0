"""Follow a forward operator by operator, and measure the output of each weight."""
