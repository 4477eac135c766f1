"""The drill of a rolling update: two web servers behind nginx are replaced under load, and no call may fail."""
