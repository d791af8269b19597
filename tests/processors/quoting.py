"""A processor that quotes the file it was given, in each way in which a user's own code may do so.

The file's first word says how; all of it is what is quoted.
"""

import errno
import logging
import sys
import threading

from filebatch_worker.processor import ConfigurationError, InvalidFile, Output, Processed, TransientError


class Uncaught(BaseException):
    """What a worker that catches every Exception doesn't catch."""


def process(source, workdir, options):
    text = source.path.read_text()
    WAYS[text.split()[0]](text)
    path = workdir / "out"
    path.write_text("x")
    return Processed((Output(text, path), Output(text, path)))


def raises(error):
    """Return a way that raises what `error` makes of the file's text."""

    def way(text):
        raise error(text)

    return way


def raises_from(text):
    try:
        float(text)
    except ValueError as error:
        raise KeyError(text) from error


def raises_while(text):
    try:
        float(text)
    except ValueError:
        raise RuntimeError(text)  # noqa: B904 - that is the case


def raises_noted(text):
    error = ValueError("see the note")
    error.add_note(text)
    raise error


def logs(text):
    try:
        float(text)
    except ValueError:
        logging.getLogger("acme").exception("a row was left out")
    raise InvalidFile("bad-row", "some rows", line=1)


def in_thread(text):
    thread = threading.Thread(target=float, args=(text,))
    thread.start()
    thread.join()
    raise InvalidFile("bad-row", "some rows", line=1)


WAYS = {
    "message": raises(lambda text: InvalidFile("bad-total", f"found {text}", line=3)),
    "values": raises(lambda text: InvalidFile("bad-row", "wrong", row=2, found=text, column=text)),
    "code": raises(lambda text: InvalidFile(text, "wrong")),
    "error": raises(ValueError),
    "cause": raises_from,
    "context": raises_while,
    "note": raises_noted,
    "system": raises(lambda text: FileNotFoundError(errno.ENOENT, "no such file", text)),
    "configuration": raises(ConfigurationError),
    "transient": raises(TransientError),
    "memory": raises(MemoryError),
    "exit": sys.exit,
    "outputs": lambda text: None,
    "logs": logs,
    "thread": in_thread,
    "uncaught": raises(Uncaught),
}
