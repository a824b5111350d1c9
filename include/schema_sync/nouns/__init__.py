"""What everybody passes on: frozen values that import nothing of ours."""
