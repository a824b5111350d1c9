"""Repairs of a dataset YML that keep its formatting: what ``patches.suggest_patch`` is made of. Pure."""
