"""How the OpenAPI document tells what the code promises."""

from drf_spectacular.openapi import AutoSchema


class ContractSchema(AutoSchema):
    """One operation of the document."""
