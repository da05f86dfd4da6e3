"""Floor 4: what a run leaves behind, written down here first."""
