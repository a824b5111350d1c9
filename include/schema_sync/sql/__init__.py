"""SQL text → the columns that it reads."""
