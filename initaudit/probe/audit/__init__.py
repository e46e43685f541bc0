"""An audit of one model: its stages, what they show together, and what is seen of an instance that already exists."""
