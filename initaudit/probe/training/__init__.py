"""Train for a few steps, to see what stays equal, zero or without a gradient."""
