"""`gigawatt fleet`: what is built when, over years."""
