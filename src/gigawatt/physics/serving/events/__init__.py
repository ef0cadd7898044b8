"""Requests as they come, one by one, through instances of the engine's step model."""
