"""Floor 3: networks that see, the head that embeds, and the embedder: any callable from pictures to unit vectors."""
