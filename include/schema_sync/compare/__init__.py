"""Definitions and a snapshot → discrepancies. Pure."""
