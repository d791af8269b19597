"""Jobs of the local AWS, and waiting for one as the triggerer does."""

from aws import REGION
from filebatch.triggers.round_job import RoundJobTrigger


def trigger_of(place, job_id, feed="orders", claim="0123456789abcdef-0001") -> RoundJobTrigger:
    return RoundJobTrigger(job_id, feed, claim, place.table, 900, "aws_default", REGION)


def submit(place, script: str) -> str:
    batch, name = place.connect("batch"), place.job_definition(script)
    queue = place.server.settings["job_queue"]
    return batch.submit_job(jobName=name, jobQueue=queue, jobDefinition=name, shareIdentifier="tests")["jobId"]


async def event_of(trigger: RoundJobTrigger) -> dict[str, str]:
    return (await anext(trigger.run())).payload
