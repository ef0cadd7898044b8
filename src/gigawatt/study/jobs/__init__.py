"""Jobs of a scenario beside serving and pre-training: their fields, their operating points, their tables."""
