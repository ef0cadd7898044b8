"""The search over mappings: enumerate, prune, evaluate in bulk, keep what is worth having."""
