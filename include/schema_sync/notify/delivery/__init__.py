"""One message, one row: reserve, post, confirm."""
