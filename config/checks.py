"""System checks: what must hold of every route before anything is served."""


def register_checks() -> None:
    """Register."""
