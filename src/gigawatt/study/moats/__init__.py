"""`gigawatt moats`: what each moat of a vendor is worth, to whom, under which limit."""
