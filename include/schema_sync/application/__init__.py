"""SQL on the product's own tables."""
