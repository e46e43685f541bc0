"""Several ranks: how they exchange messages, and how their copies of a model differ."""
