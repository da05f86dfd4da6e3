"""Floor 2: a shop that the project draws itself, for tests, first runs and demonstrations."""
