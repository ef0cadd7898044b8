"""The network: how long a collective takes, what the fabric is made of."""
