"""Joint design: chip, fabric and site chosen all at once, beside one after another."""
