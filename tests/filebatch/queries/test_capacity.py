"""One look at the job queue tells of all feeds, for a minute."""

from aws import recorded
from filebatch.queries.capacity import KEPT_FOR, JobQueue


def test_the_feeds_of_a_process_look_once_a_minute(place):
    passed = [0.0]
    queue, batch = JobQueue(lambda: passed[0]), place.connect("batch")
    with recorded(batch, "batch.ListJobs") as calls:
        for feed in ("orders", "lines", "weather"):
            assert queue.waiting_since(batch, place.server.settings["job_queue"], f"{feed}-of-nobody") is None
        assert len(calls) == 2
        passed[0] = KEPT_FOR
        queue.waiting_since(batch, place.server.settings["job_queue"], "orders")
        assert len(calls) == 4
