"""Floor 1: what a picture shows without any learning."""
