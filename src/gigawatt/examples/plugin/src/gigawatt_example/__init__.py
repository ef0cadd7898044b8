"""A made-up maker of chips, as an example of a Gigawatt plug-in."""
