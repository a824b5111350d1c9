"""What every task knows of its run."""
