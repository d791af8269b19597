"""Airflow's notifiers beside SNS: really made, really templated, and none keeps the others from their readers."""

import socketserver
import sys
import threading
from email import message_from_bytes, policy
from types import SimpleNamespace

import pytest
from airflow.sdk.bases.notifier import BaseNotifier

from filebatch.core.records import FileState
from filebatch.feeds.notifying import Notifier
from filebatch.operators import notifiers
from filebatch.runs.summary import FileLine, Summary

HOSTILE = "orders/<!channel><script>.csv"
HERE = "notifiers_of_tests"
TOLD = []


class Keeping(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        TOLD.append(self.text)


class Broken(Keeping):
    def __call__(self, *args):
        raise RuntimeError("Slack is out of reach")


def named(cls, **fields):
    arguments = fields.pop("arguments", {"text": "{{ summary.subject }} {{ summary.page }}"})
    return Notifier(notifier=f"{HERE}.{cls.__name__}", arguments=arguments, **fields)


def summary(status="FAILED"):
    file = FileLine(HOSTILE, "v1", status, None, None, "bug: it broke")
    return Summary(
        "orders", "r", status, {status: 1}, (file,), 0, "s3://r/plan.json", None, None, "https://airflow/page"
    )


@pytest.fixture(autouse=True)
def told(monkeypatch):
    # Tests are no package: the module gets a name that it can be imported by.
    monkeypatch.setitem(sys.modules, HERE, SimpleNamespace(Keeping=Keeping, Broken=Broken))
    TOLD.clear()
    return TOLD


def test_a_notifier_is_templated_with_the_runs_summary(told):
    notifiers.send([named(Keeping)], {}, summary())
    assert told == ["filebatch orders: 1 failed of 1 file https://airflow/page"]


@pytest.mark.parametrize(
    ("when", "status", "times"),
    [
        ("problems", "SUCCEEDED", 0),
        ("problems", "INVALID", 1),
        ("problems", "FAILED", 1),
        ("always", "SUCCEEDED", 1),
    ],
)
def test_it_tells_of_problems_alone_unless_always_is_asked_for(when, status, times, told):
    notifiers.send([named(Keeping, when=when)], {}, summary(status))
    assert len(told) == times


@pytest.mark.parametrize(
    "wrong",
    [
        named(Broken),
        named(Keeping, arguments={"no": "such argument"}),
        named(Keeping, arguments={"text": "{{ nothing.at.all }}"}),
        Notifier(notifier="no.such.Notifier"),
        Notifier(notifier="os.path.join"),
        Notifier(notifier="subprocess.Popen", arguments={"args": ["true"]}),
    ],
)
def test_one_that_fails_is_told_and_keeps_none_of_the_others(wrong, told, caplog):
    notifiers.send([wrong, named(Keeping)], {}, summary())
    assert len(told) == 1
    assert f"{wrong.notifier} could not tell of run r" in caplog.text


def test_a_strangers_key_is_no_markup_where_it_is_escaped(told):
    notifiers.send([named(Keeping, arguments={"text": "<pre>{{ summary.text | e }}</pre>"})], {}, summary())
    assert "&lt;!channel&gt;&lt;script&gt;" in told[0]
    assert "<script>" not in told[0]


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to leave a message."""

    def handle(self):
        self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                self.server.got.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.wfile.write(b"250 fine\r\n")
            if line.upper().startswith(b"QUIT"):
                return


@pytest.fixture
def mailbox(monkeypatch):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.got = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}?disable_ssl=true&disable_tls=true")
        yield server.got
        server.shutdown()


def test_airflows_own_smtp_notifier_sends_the_documented_mail(mailbox):
    arguments = {
        "smtp_conn_id": "smtp_default",
        "from_email": "filebatch@example.com",
        "to": ["files@example.com"],
        "subject": "{{ summary.subject }}",
        "html_content": "<pre>{{ summary.text | e }}</pre>",
    }
    path = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    notifiers.send([Notifier(notifier=path, arguments=arguments)], {}, summary())
    (mail,) = [message_from_bytes(each, policy=policy.default) for each in mailbox]
    assert mail["Subject"] == "filebatch orders: 1 failed of 1 file"
    assert "&lt;script&gt;" in mail.get_body(("html",)).get_content()


def test_every_status_but_success_is_a_problem():
    assert [state for state in (*FileState, "UNSETTLED") if not Notifier(notifier="a.B").wants(str(state))] == [
        "SUCCEEDED"
    ]
