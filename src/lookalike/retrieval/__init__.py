"""Floor 2: who is nearest to whom, how good that is, and how sure one can be."""
