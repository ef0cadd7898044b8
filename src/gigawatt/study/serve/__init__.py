"""A question about serving: configurations and their front, requests replayed, launch settings."""
