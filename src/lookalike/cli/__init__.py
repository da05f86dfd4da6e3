"""Floor 6: the command. One verb a file; YAML becomes settings at `door.py` and nowhere else."""
