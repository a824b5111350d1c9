"""What a definition needs, and where that lives. Pure."""
