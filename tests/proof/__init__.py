"""The campaign that tries to make it lose a cent: `make soak`."""
