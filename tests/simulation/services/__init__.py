"""AWS in memory: objects in the shape of boto3's clients that answer the calls which filebatch makes.

Nothing here knows filebatch, fails by chance or waits: time, chance and faults are brought by whoever makes them
(`now`, `lag`, `unlisted` and the like). test_services_*.py hold them to the local AWS: the same tests pass on both.
"""

from simulation.services.aws import Aws

__all__ = ["Aws"]
