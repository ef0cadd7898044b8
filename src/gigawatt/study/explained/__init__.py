"""`gigawatt explain`: what a manifest keeps of the trees, and how they are read back with the place of every value."""
