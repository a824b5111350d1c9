"""Discrepancies → a patch that keeps the text's formatting. Pure."""
