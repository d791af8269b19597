"""The Files page as people meet it: in Airflow's UI, in a browser, with the keys that strangers choose."""

import pytest

from aws import until
from browsing import chromium
from files_page import DONE, FAILED, HOSTILE, MARKUP, tab_of

pytestmark = [pytest.mark.airflow, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def tab(browser, page):
    """A tab of somebody who logged in."""

    def opened(user="admin", **options):
        shown.append(tab_of(browser, page.config, user, **options))
        return shown[-1]

    shown = []
    yield opened
    for each in shown:
        each.context.close()


def test_a_failed_file_is_found_read_and_retried(page, browser, tab):
    shown = browser.new_page(viewport={"width": 1200, "height": 700})
    shown.goto(page.config.api.login)
    shown.goto(f"{page.config.api.url}/plugin/filebatch")
    frame = shown.frame_locator("iframe")
    frame.locator(".held", has_text="press retry").wait_for()
    frame.get_by_role("button", name="orders").click()
    frame.locator("#held", has_text="all FAILED, the latest with bug").wait_for()
    frame.locator("#rows tr").nth(3).wait_for()
    frame.get_by_label("Key").fill("partner-x")
    frame.get_by_label("Key").press("Enter")
    frame.locator("#rows tr").nth(1).wait_for(state="detached")
    frame.get_by_role("button", name=FAILED).click()
    assert "It failed at" in frame.locator(".line").first.inner_text()
    frame.get_by_role("button", name="retry").click()
    assert "Write a reason" in frame.locator("#said").inner_text()
    frame.get_by_label("Reason").fill("the partner's disk is fixed")
    shown.evaluate("document.documentElement.classList.replace('light', 'dark')")  # as Airflow's own switch does
    until(lambda: frame.locator("body").evaluate("each => getComputedStyle(each).colorScheme") == "dark")
    frame.get_by_role("button", name="retry").click()
    found = until(lambda: [run for run in page.runs() if run["note"] == "retry: the partner's disk is fixed"])
    conf = {"keys": [FAILED], "reason": "the partner's disk is fixed"}
    assert [(run["conf"], run["triggering_user_name"]) for run in found] == [(conf, "admin")]
    frame.get_by_role("button", name="process_files").click()
    shown.wait_for_url("**/dags/orders/runs/manual__1/tasks/process_files")
    shown.close()


def test_the_tab_of_the_feeds_dag_lists_its_files(page, tab):
    shown = tab()
    shown.goto(f"{page.config.api.url}/dags/orders/plugin/files")
    shown.frame_locator("iframe").get_by_role("button", name=FAILED).wait_for()


def test_a_viewer_sees_no_button(page, tab):
    shown = tab("eve")
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.get_by_role("button", name=FAILED).click()
    shown.locator(".line").first.wait_for()
    assert shown.get_by_role("button", name="retry").count() == 0
    assert shown.get_by_label("Reason").count() == 0
    names = shown.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
    assert len(names) == len(set(names)), names


def test_what_strangers_wrote_is_text(page, tab):
    shown, told = tab(), []
    shown.on("console", lambda message: told.append(message.text))
    shown.on("dialog", lambda dialog: told.append(dialog.message))
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.get_by_role("button", name="<img").click()
    shown.locator("#whole-key").wait_for()
    assert shown.locator("#whole-key").text_content() == HOSTILE
    assert MARKUP in (shown.locator("#story").text_content() or "")
    assert shown.locator("img, #story script, #story b").count() == 0
    assert shown.title() == "Files"
    assert told == []


def test_an_inline_script_does_not_run(page, tab):
    """Should markup ever get in, the Content-Security-Policy still holds."""
    shown = tab()
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.locator("#rows tr").first.wait_for()
    shown.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    shown.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title=2'}))"
    )
    shown.wait_for_timeout(300)
    assert shown.title() == "Files"


def test_a_profile_has_bars_and_says_in_words_what_they_are(page, tab):
    shown = tab()
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders&key={DONE}")
    named = shown.get_by_role("img", name="Values from least to greatest: 49, 49, 48,")
    named.wait_for()
    assert named.locator("rect").count() == 10
    assert len({rect.bounding_box()["height"] for rect in named.locator("rect").all()}) == 2
    assert shown.get_by_role("img").count() == 5


def test_it_works_by_keyboard_and_in_the_dark(page, tab):
    shown = tab(color_scheme="dark")
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.locator("#rows tr").nth(3).wait_for()
    shown.get_by_label("Key").focus()
    shown.keyboard.type("partner-x")
    shown.keyboard.press("Enter")
    shown.locator("#rows tr").nth(1).wait_for(state="detached")
    for _ in range(5):  # state, code, since, search, the file
        shown.keyboard.press("Tab")
    shown.keyboard.press("Enter")
    shown.locator("#reason").wait_for()
    background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, background[4:-1].split(","))) < 200


def test_it_refreshes_by_itself(page, tab):
    shown = tab()
    shown.clock.install()
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.locator("#rows tr").first.wait_for()
    with shown.expect_response("**/filebatch/api/files*"):
        shown.clock.run_for(11_000)


def looked_again(shown):
    """Have the list be asked for once more by itself, and wait until it is shown."""
    shown.locator("#rows tr").first.evaluate("each => { each.dataset.of = 'before' }")
    shown.clock.run_for(11_000)
    shown.locator("#rows tr[data-of]").wait_for(state="detached")


def test_why_a_feed_is_held_is_written_once_and_so_spoken_once(page, tab):
    shown = tab()
    shown.clock.install()
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.locator("#held .held").evaluate("each => { each.dataset.of = 'before' }")
    looked_again(shown)
    assert shown.locator("#held [data-of]").count() == 1


def test_files_are_listed_where_nobody_can_say_whether_their_feed_is_held_and_that_is_told_once(page, tab):
    shown = tab()
    shown.clock.install()
    shown.route("**/filebatch/api/held*", lambda route: route.fulfill(status=502, json={"detail": "no ledger"}))
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.locator("#said", has_text="no ledger").wait_for()
    shown.evaluate("window.told = document.getElementById('said').firstChild")
    looked_again(shown)
    assert shown.evaluate("document.getElementById('said').firstChild === window.told")


def test_in_a_frame_of_another_origin_files_are_listed(page, tab):
    """Its header forbids that; whatever stands before Airflow may have taken it away."""
    shown, address = tab(), f"{page.config.api.url}/filebatch/page?feed=orders"

    def without_headers(route):
        route.fulfill(response=route.fetch(), headers={"Content-Type": "text/html"})

    frame = {"content_type": "text/html", "body": f"<iframe src='{address}'></iframe>"}
    shown.route("http://127.0.0.1:8999/", lambda route: route.fulfill(**frame))
    shown.route(address, without_headers)
    shown.goto("http://127.0.0.1:8999/")
    shown.frame_locator("iframe").locator("#rows tr").first.wait_for()


def test_while_one_file_is_asked_for_nothing_of_another_is_shown(page, tab):
    """Its buttons would act on the wrong file."""
    shown, held_back = tab(), []
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders&key={DONE}")
    shown.get_by_role("button", name="redo").wait_for()
    shown.get_by_role("button", name="Files of orders").click()
    shown.route("**/filebatch/api/file?*", lambda route: held_back.append(route))  # noqa: PLW0108
    shown.get_by_role("button", name=FAILED).click()
    assert shown.locator("#list").is_hidden()
    assert shown.locator("#story *").count() == 0


def test_an_answer_that_takes_longer_than_the_time_between_two_looks_is_shown(page, tab):
    shown, held_back = tab(), []
    shown.clock.install()
    shown.route("**/filebatch/api/files*", lambda route: held_back.append(route))  # noqa: PLW0108 - playwright marks what it calls
    with shown.expect_request("**/filebatch/api/files*"):
        shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.clock.run_for(31_000)
    for route in held_back:
        route.continue_()
    shown.locator("#rows tr").first.wait_for()
    assert len(held_back) == 1


def test_a_file_is_looked_at_again_by_itself_after_a_button_and_not_while_a_reason_is_written(page, tab):
    shown = tab()
    shown.clock.install()
    shown.goto(f"{page.config.api.url}/filebatch/page?feed=orders")
    shown.get_by_role("button", name=FAILED).click()
    shown.get_by_label("Reason").fill("sent again")
    with shown.expect_response("**/filebatch/api/act"):
        shown.get_by_role("button", name="retry").click()
    shown.locator("#said", has_text="Started run").wait_for()
    with shown.expect_response("**/filebatch/api/file*"):
        shown.clock.run_for(11_000)
    shown.get_by_label("Reason").fill("half a sen")
    shown.clock.run_for(31_000)
    assert shown.get_by_label("Reason").input_value() == "half a sen"
