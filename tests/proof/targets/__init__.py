"""What the part `parsers` feeds: one module for each family of parsers that reads strangers' bytes."""
