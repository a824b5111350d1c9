"""Two type texts → a verdict."""
