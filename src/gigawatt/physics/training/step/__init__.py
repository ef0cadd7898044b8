"""One training step: kernels and messages of a layer, a micro-batch, the whole step."""
