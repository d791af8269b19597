"""Files that are done one by one, as workers would have done them."""

from dataclasses import replace

from aws import feed_of
from claims import Held
from filebatch.core import clock, file_moves, paths
from filebatch.core.contract import Output, Result
from filebatch.core.records import FileRecord, FileState
from filebatch.core.results import location
from filebatch.queries import current
from filebatch_worker.commit import commit

KEY = "orders/a.csv"


class Bucket:
    """A feed's ledger and results, whose files are claimed and done one by one."""

    def __init__(self, place):
        self.place, self.ctx, self.claims = place, place.ctx(feed_of()), 0
        self.sample = Held(place, 1).result()

    def arrive(self, key=KEY, content=b"1", day=1):
        file = replace(self.place.put(key, content), last_modified=f"2026-01-{day:02d}T00:00:00.000Z")
        self.place.arrive(file)
        return FileRecord.at(file)

    def do(self, row, state=FileState.SUCCEEDED) -> Result:
        """Do a file, again where it is done."""
        record = self.claim(row)
        result = replace(self.sample, work=record.work, claim=record.claim, state=state)
        if state is FileState.INVALID:
            result = replace(result, outputs=())
        else:
            place = paths.of_generation(paths.RESULTS, "orders", record.work)
            result = replace(result, outputs=(Output("data.parquet", f"{place}job-1/data.parquet", 3, "a" * 64, 7),))
        return self.commit(row, record, result)

    def commit(self, row, record, result) -> Result:
        """Commit a result and tell the ledger."""
        committed = commit(self.ctx.s3, self.ctx.results, self.ctx.ledger, result)
        where = location(self.ctx.results, "orders", record.work)
        self.ctx.ledger.move(file_moves.finish(row, record.claim, committed, where, clock.now()))
        return committed

    def claim(self, row):
        self.claims += 1
        token, record = f"{self.claims:016x}-0001", self.ctx.ledger.get(row)
        again = record.state is not FileState.ARRIVED
        move = file_moves.redo if again else file_moves.claim
        return self.ctx.ledger.move(move(row, token, "run", record.generation + again, clock.now()))

    def found(self):
        """Return key, version and generation of what is current, as it is kept once runs have said so."""
        current.rebuild(self.ctx)
        return [(line["key"], line["version"], line["generation"]) for line in self.now()]

    def now(self):
        return [line for line in current.outputs(self.ctx) if line["key"].startswith(KEY[:8])]
