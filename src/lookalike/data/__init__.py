"""Floor 3: from a frozen data set to the batches that a network eats."""
