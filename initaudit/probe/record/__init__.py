"""Record a build: what is allocated, written and registered, and which values depend on the memory."""
