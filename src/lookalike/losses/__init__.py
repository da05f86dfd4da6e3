"""Floor 1: what is wanted of embeddings: pure functions whose signatures are their settings; modules where something is kept."""
