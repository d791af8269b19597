"""All of it: an account's services, which know each other where AWS's do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from filebatch.core import clock
from simulation.services.batch import Batch
from simulation.services.dynamodb import DynamoDB
from simulation.services.messaging import SNS, SQS, CloudWatch, Events
from simulation.services.s3 import S3

ENDPOINT = "https://sqs.eu-west-1.amazonaws.com"


class Aws:
    """One account. `now` tells the time to all services."""

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self.sqs = SQS(now, ENDPOINT)
        self.events = Events(now, self.sqs)
        self.s3 = S3(now, self.events.created)
        self.dynamodb = DynamoDB(now)
        self.sns = SNS()
        self.cloudwatch = CloudWatch()
        self.batch = Batch(now)

    def client(self, service: str) -> Any:
        return getattr(self, service)
