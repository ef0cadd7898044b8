"""`gigawatt operate`: a day of the site by the hour."""
