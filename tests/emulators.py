"""Emulators of AWS that others wrote, in place of the local AWS's services: a second opinion (`make conformance`).

FILEBATCH_EMULATOR_DYNAMODB is one of DynamoDB, and so on for each service; FILEBATCH_EMULATOR one of all that have no
other, but for Batch, which always is the local AWS's.
"""

import os

ALL, BATCH = "FILEBATCH_EMULATOR", "batch"


def of(service: str) -> str | None:
    """Return the URL of the emulator that stands in for a service; None for the local AWS's own."""
    own = os.environ.get(f"{ALL}_{service.upper()}")
    return own or (None if service == BATCH else os.environ.get(ALL))


def variables() -> dict[str, str]:
    """Return what tells a worker's clients of them."""
    found = {service: of(service) for service in ("s3", "dynamodb", "cloudwatch")}
    return {f"AWS_ENDPOINT_URL_{service.upper()}": url for service, url in found.items() if url}
