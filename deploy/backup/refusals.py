"""How backups say no."""


class Refused(Exception):
    """What can't be done, or must not be believed, in one sentence for whoever reads it at night."""
