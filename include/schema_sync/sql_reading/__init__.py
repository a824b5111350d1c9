"""SQL text → the paths that it reads: what ``expressions.referenced_columns`` is made of. Pure."""
