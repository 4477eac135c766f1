"""One box that finds whatever a customer or a log line quotes."""
