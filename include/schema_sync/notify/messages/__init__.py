"""What is said. Pure."""
