"""Replay a construction on the meta device, with new memory, and with a state dict."""
