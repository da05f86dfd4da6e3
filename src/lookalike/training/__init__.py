"""Floor 4: learning. Every part arrives ready-made; nothing here knows a loss, a backbone or a data set by name."""
