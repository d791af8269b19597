"""A processor that hands back what the file's first word says, as a user's own code may do by mistake."""

from filebatch_worker.processor import InvalidFile, Output, Processed

SECRET = "Jane Roe"


def process(source, workdir, options):
    word = source.path.read_text().split()[0]
    if word in INVALID:
        raise INVALID[word]
    path = workdir / "data.txt"
    path.write_text("x")
    return RETURNED[word](Output("data.txt", path, 1))


RETURNED = {
    "fine": lambda output: Processed((output,), 1, {"count": 1, "list": ("a", None)}),
    "nothing": lambda _: None,
    "a-bare-output": Processed,
    "a-path": lambda output: Processed((output.path,)),
    "rows-text": lambda output: Processed((output,), SECRET),
    "rows-true": lambda output: Processed((output,), True),
    "rows-float": lambda output: Processed((output,), 1.5),
    "rows-negative": lambda output: Processed((output,), -1),
    "rows-huge": lambda output: Processed((output,), 10**40),
    "output-rows": lambda output: Processed((Output("data.txt", output.path, True),)),
    "output-name": lambda output: Processed((Output(None, output.path),)),
    "output-path": lambda output: Processed((Output("data.txt", str(output.path)),)),
    "outputs-many": lambda output: Processed((output,) * 5001),
    "notes-list": lambda output: Processed((output,), 1, [SECRET]),
    "notes-set": lambda output: Processed((output,), 1, {"names": {SECRET}}),
    "notes-nan": lambda output: Processed((output,), 1, {"mean": float("nan")}),
    "notes-huge": lambda output: Processed((output,), 1, {"text": SECRET * 100_000}),
}
INVALID = {
    "code": InvalidFile(7, "wrong"),
    "message": InvalidFile("wrong", {"name": SECRET}),
    "summary": InvalidFile("wrong", "wrong", summary=7),
    "where": InvalidFile("wrong", "wrong", found={SECRET}),
}
