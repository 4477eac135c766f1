"""Who a customer is, as it is shown to those who haven't said why they have to know."""


def masked_email(email: str) -> str:
    """Show an address by its first letter and its domain: `a•••@example.com`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}•••@{domain}"


def masked_name(name: str) -> str:
    """Show a name by its initials: `A••• L•••`."""
    return " ".join(f"{word[0]}•••" for word in name.split())
