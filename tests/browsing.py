"""A real browser, and somebody else's web pages for it to visit."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM = shutil.which("chromium") or ""
# Names that lead to this machine, as an attacker's own DNS answers may.
RULES = "MAP *.example 127.0.0.1"
ARGUMENTS = [
    f"--host-resolver-rules={RULES}",
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # That pages ask the user before they reach a local network is this browser's alone, and young: it isn't relied on.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessForNavigations,LocalNetworkAccessForSubframeNavigations",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the distribution's Chromium; skip the test where there is none."""
    if not CHROMIUM:
        pytest.skip(
            "NO BROWSER: chromium is not on the path, so no web page's attack is tried (apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


ASK = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return answer.type === 'opaque' ? 'sent' : `${answer.status} ${await answer.text()}`;
  } catch (error) {
    return 'blocked';
  }
}"""


def ask(page: Page, url: str, **options: object) -> str:
    """Have a page's script ask for something; return what it could read: status and text, sent, or blocked."""
    return str(page.evaluate(ASK, [url, options]))


def picture(shown: Page, name: str, height: int | None = None) -> None:
    """Keep a picture for the documents where somebody asks for new ones: its bytes differ from machine to machine.

    Args:
        shown: the tab.
        name: of the picture.
        height: pixels, where the tab's aren't enough.
    """
    if not os.environ.get("FILEBATCH_PICTURES"):
        return
    before = shown.viewport_size
    if before and height:
        shown.set_viewport_size({**before, "height": height})
    shown.wait_for_timeout(1000)  # what Airflow shows moves until it is where it belongs
    PICTURES.mkdir(exist_ok=True)
    shown.screenshot(path=PICTURES / f"{name}.png")
    if before and height:
        shown.set_viewport_size(before)


@dataclass
class Foreign:
    """A web server of somebody else on this machine, and what its pages sent home."""

    port: int
    heard: list[str] = field(default_factory=list)

    def visited(self, browser: Browser, host: str) -> Page:
        """Return a visitor's tab with a page of this server, called by a name."""
        page = browser.new_page()
        page.goto(f"http://{host}:{self.port}/")
        return page


@contextmanager
def foreign_server() -> Iterator[Foreign]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.heard.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>a page</title><p>Win a bicycle!")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Foreign(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
