"""Floor 1: what is wanted of embeddings, as pure functions. Their signatures are their settings."""
