"""Who a request speaks for, read from its access token without a query."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The verified bearer of an access token.

    `id` is the user's id, or the service client's; `permissions` is the closed list of its role at the time
    the token was issued.
    """

    id: UUID
    role: str
    permissions: frozenset[str] = field(default_factory=frozenset)

    @property
    def pk(self) -> UUID:
        """The id under the name that Django expects of a user."""
        return self.id

    @property
    def is_authenticated(self) -> bool:
        """Always true: nobody without a valid token becomes a principal."""
        return True

    @property
    def is_active(self) -> bool:
        """Always true: an inactive user is given no token."""
        return True

    @property
    def name(self) -> str:
        """`role:id`: the actor in the books and the scope of idempotency keys."""
        return f"{self.role}:{self.id}"

    @property
    def is_customer(self) -> bool:
        """Whether it reaches its own wallets alone."""
        return self.role == "user"

    @property
    def is_staff(self) -> bool:
        """Whether it is a person of the back office."""
        return self.role in ("support", "finance", "auditor", "admin")

    @property
    def owner_id(self) -> UUID | None:
        """The user whose things it may reach, or None when it may reach everybody's."""
        return self.id if self.is_customer else None

    def may(self, permission: str) -> bool:
        """Whether the role's list holds the permission."""
        return permission in self.permissions
