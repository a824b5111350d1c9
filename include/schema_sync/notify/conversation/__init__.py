"""One drift is one conversation: what to say next, and saying it."""
