"""The pages at /ui and /docs in a real browser, against the service with the published models."""

import re
import shutil
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from bentos.catalog import MODELS
from service import contract

ROOT = Path(__file__).parents[2]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OCTAGONS = ROOT / "bentos" / "octagon" / "photos"
ANIMALS = ROOT / "bentos" / "wildlife" / "photos"
PATIENCE_MS = 30_000

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed. Run make test."
)
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def real(run_published):
    """The service as it is released, with tokens."""
    return run_published()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens the page; in the end all came from here, and the browser complained of nothing."""
    contexts, requested, complaints = [], [], []

    def open_page(service, model="energy", language="en", *, path="/ui", **options):
        context = chromium.new_context(locale=language, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: requested.append((service.url, request.url)))
        page.on(
            "console", lambda line: complaints.append(line.text) if line.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{service.url}{path}#{model}")
        expect(page.locator("h1, h2.title").first).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert requested
    assert [
        url for own, url in requested if not url.startswith((f"{own}/", f"blob:{own}/", "data:,"))
    ] == []
    # That a request was refused is told there too; the page says it in words.
    refused = (
        "Failed to load resource: the server responded with a status of 4",
        "Failed to load resource: the server responded with a status of 503",
        "Failed to load resource: net::ERR_CONNECTION",
    )
    assert [line for line in complaints if not line.startswith(refused)] == []


@pytest.fixture
def enter(visit, real, token_for):
    """Opens the page and types a token."""

    def open_with_token(model="energy", token=None, **options):
        page = visit(real, model, **options)
        token = token or token_for()
        type_token(page, token)
        expect(page.locator("#token .ok")).to_be_visible()
        return page

    return open_with_token


def type_token(page, token):
    page.get_by_label("token", exact=False).first.wait_for()
    page.fill("#token-input", token)
    page.press("#token-input", "Enter")


def ask(page):
    page.click("form button[type=submit]:not(#token button)")


def cards(page):
    return page.locator(".photos > li")


def test_it_opens_without_a_token_and_lists_every_model(visit, real):
    page = visit(real)
    assert page.locator("nav a").count() == len(MODELS)
    expect(page.locator("#health")).to_contain_text("Ready")
    expect(page.locator("#health")).to_contain_text("release r7")
    expect(page.locator("#token-input")).to_have_attribute("type", "password")
    ask(page)
    expect(page.locator(".result .problem")).to_contain_text(
        "The token is missing, wrong or expired"
    )


def test_a_row_is_answered_with_version_release_time_and_request(enter, real):
    page = enter()
    ask(page)
    expect(page.locator(".result .field")).to_have_count(3)
    expect(page.locator(".result .field").first).to_contain_text("Power drawn by zone 1, in kW.")
    ready = page.request.get(f"{real.url}{contract.READYZ}").json()
    version = ready["models"]["energy"]["version"]
    told = page.locator(".result .origin")
    for part in (version, "release r7", " ms", "request"):
        expect(told).to_contain_text(part)
    expect(page.locator(".about")).to_contain_text(version)


def test_a_wrong_token_is_refused_in_words_and_not_kept(visit, real, token_for):
    page = visit(real)
    type_token(page, f"{token_for()[:-8]}AAAAAAAA")
    expect(page.locator("#token-told")).to_contain_text("The token is missing, wrong or expired")
    assert page.evaluate("() => sessionStorage.length") == 0
    type_token(page, token_for())
    expect(page.locator("#token .ok")).to_be_visible()


def test_a_token_stays_in_its_tab_until_it_is_forgotten(enter, real, token_for):
    token = token_for()
    page = enter(token=token)
    page.reload()
    expect(page.locator("#token .ok")).to_be_visible()
    assert page.evaluate("() => Object.values(localStorage).join()").find(token) == -1
    assert token not in page.url
    assert token not in page.content()
    assert token not in real.log()
    other = page.context.new_page()  # another tab knows nothing of it
    other.goto(page.url)
    expect(other.locator("#token-input")).to_be_visible()
    page.click("#token button")
    expect(page.locator("#token-input")).to_be_focused()
    assert page.evaluate("() => sessionStorage.length") == 0


def test_a_token_that_ends_is_asked_for_again(enter):
    page = enter()
    body = '{"type": "urn:bentofleet:problem:unauthorized", "detail": "Send a valid token."}'
    page.route("**/v1/energy/predict", lambda route: route.fulfill(status=401, body=body))
    ask(page)
    expect(page.locator(".result .problem")).to_contain_text("missing, wrong or expired")
    expect(page.locator("#token-told")).to_contain_text("missing, wrong or expired")
    assert page.evaluate("() => sessionStorage.length") == 0


def test_a_token_for_one_model_says_so_at_the_others(enter, token_for):
    page = enter("demand", token_for("predict:energy"))
    ask(page)
    expect(page.locator(".result .problem")).to_contain_text("This token does not allow this model")


def test_with_authentication_off_no_token_is_asked(visit, run_published):
    page = visit(run_published(BENTOFLEET_AUTH="off"))
    ask(page)
    expect(page.locator(".result .field")).to_have_count(3)
    assert page.locator("#token-input").count() == 0
    assert "TOKEN" not in page.locator(".curl code").inner_text()


def test_wrong_values_are_told_at_their_fields(enter):
    page = enter()
    page.fill("#field-temperature_c", "99")
    page.fill("#field-timestamp", "tomorrow")
    page.fill("#field-humidity_percent", "")
    ask(page)
    expect(page.locator("#field-temperature_c-error")).to_have_text(
        "should be from -30 to 60 °C (got 99)"
    )
    expect(page.locator("#field-timestamp-error")).to_contain_text("ISO 8601")
    expect(page.locator("#field-humidity_percent-error")).to_have_text("is missing")
    expect(page.locator("[aria-invalid=true]")).to_have_count(3)
    expect(page.locator("#field-timestamp")).to_be_focused()  # the first that is wrong
    page.fill("#field-temperature_c", "20")
    page.fill("#field-timestamp", "2017-07-14T14:30:00+02:00")
    page.fill("#field-humidity_percent", "50")
    ask(page)
    expect(page.locator(".result .field")).to_have_count(3)
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)


def test_a_form_has_the_inputs_units_and_bounds_of_the_specification(visit, real):
    page = visit(real, "demand")
    assert page.locator(".fields .field").count() == len(MODELS["demand"].takes.columns)
    price = page.locator("#field-price_usd")
    assert [price.get_attribute(name) for name in ("type", "min", "max", "step")] == [
        "number", "0.01", "100000", "any",
    ]  # fmt: skip
    assert price.input_value() == "6.8"
    cities = page.locator("#field-city option")
    assert cities.all_inner_texts() == ["Philadelphia", "New York", "Boston"]
    assert page.locator("#field-city").input_value() == "Boston"
    for field in page.locator(".fields .field").all():
        assert field.locator("label").get_attribute("for") == field.locator(
            "input,select"
        ).get_attribute("id")


def test_rows_that_are_pasted_have_an_answer_or_an_error_each(enter):
    page = enter()
    page.click("text=Many rows at once")
    head, line = page.get_attribute("#rows", "placeholder").split("\n")
    page.fill("#rows", "\n".join((head, line, line.replace("28.4", "280"))))
    page.click("text=Ask for all rows")
    expect(page.locator(".wide tbody tr")).to_have_count(2)
    expect(page.locator(".wide tbody tr").nth(1)).to_contain_text(
        "temperature_c: should be from -30 to 60"
    )
    spreadsheet = f"{head}\n{line}".replace(",", ";").replace("28.4", "28,4")
    page.fill("#rows", spreadsheet)
    page.click("text=Ask for all rows")
    expect(page.locator(".wide tbody tr")).to_have_count(1)
    expect(page.locator(".wide tbody tr td.error")).to_have_count(0)
    page.fill("#rows", "{not json")
    page.click("text=Ask for all rows")
    expect(page.locator("details .problem")).to_contain_text("These rows cannot be read")


def test_two_photos_and_a_broken_file_give_two_answers_and_one_problem(enter, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((ANIMALS / "cat.jpg").read_bytes()[:3000])
    page = enter("wildlife")
    page.set_input_files("#files", [ANIMALS / "koala.jpg", ANIMALS / "giraffes.jpg", broken])
    expect(page.locator(".photo.done")).to_have_count(2)
    expect(page.locator(".photo.failed")).to_have_count(1)
    assert cards(page).count() == 3
    koala = cards(page).nth(0).locator(".bar-row")
    assert koala.count() == 5
    expect(koala.first).to_contain_text("koala")
    expect(koala.first).to_contain_text(re.compile(r"\d%"))
    width = koala.first.locator(".filled").evaluate("bar => bar.style.width")
    assert float(width.removesuffix("%")) > 50
    assert cards(page).nth(0).locator("img").evaluate("image => image.naturalWidth") > 0
    problem = cards(page).nth(2).locator(".problem")
    expect(problem).to_contain_text("The input is not valid")
    expect(problem).to_contain_text("file is cut off or damaged")
    page.click("text=Remove all")
    expect(cards(page)).to_have_count(0)


def test_photos_can_be_dropped(enter):
    page = enter("wildlife")
    content = list((ANIMALS / "owl.jpg").read_bytes())
    transfer = page.evaluate_handle(
        """content => {
            const transfer = new DataTransfer();
            const bytes = new Uint8Array(content);
            transfer.items.add(new File([bytes], "owl.jpg", {type: "image/jpeg"}));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
    expect(page.locator(".photo.done")).to_have_count(1)
    expect(cards(page)).to_contain_text("owl.jpg")


def test_more_photos_than_one_request_may_have_are_all_answered(enter):
    page = enter("octagon")
    batches = []
    page.on(
        "request",
        lambda request: batches.append(request.url) if request.url.endswith("batch") else None,
    )
    page.set_input_files(
        "#files", [OCTAGONS / "plain_1.jpg"] * (MODELS["octagon"].takes.batch_items + 1)
    )
    expect(page.locator(".photo.done")).to_have_count(MODELS["octagon"].takes.batch_items + 1)
    assert len(batches) == 3


def test_a_busy_service_is_asked_again(enter):
    page = enter()
    refusals = []

    def busy_once(route):
        if refusals:
            route.continue_()
            return
        refusals.append(route.request.url)
        route.fulfill(status=503, headers={"Retry-After": "1"}, body="{}")

    page.route("**/v1/energy/predict", busy_once)
    ask(page)
    expect(page.locator(".result .field")).to_have_count(3)
    assert len(refusals) == 1


def test_the_heat_map_lies_over_the_photo_and_can_be_taken_off(enter):
    page = enter("octagon")
    page.set_input_files("#files", OCTAGONS / "octagon_2.jpg")
    toggle = page.locator(".toggle")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    card = cards(page).first
    expect(card).to_contain_text("Has octagon")
    expect(card.locator(".verdict")).to_have_text("Yes")
    heat = card.locator("img").get_attribute("src")
    expect(card.locator("img")).to_have_attribute("alt", re.compile("coloured from yellow to red"))
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "false")
    expect(toggle).to_be_focused()
    assert card.locator("img").get_attribute("src") not in (heat, None)


def test_the_language_follows_the_browser_and_the_choice_is_kept(enter):
    page = enter(language="es-CL")
    assert page.get_attribute("html", "lang") == "es"
    expect(page.locator("h1")).to_have_text("Potencia de las tres zonas de Tetuán")
    ask(page)
    expect(page.locator(".result .field").first).to_contain_text("Zona 1")
    number = page.locator(".result .field dd").first.inner_text()
    assert re.fullmatch(r"\d{2}\.\d{3},\d{1,2}", number)
    page.fill("#field-temperature_c", "11")
    page.click("text=English")
    expect(page.locator("h1")).to_have_text("Power of Tetouan's three zones")
    assert page.get_attribute("html", "lang") == "en"
    assert page.input_value("#field-temperature_c") == "11"  # nothing typed or answered is lost
    expect(page.locator(".result .field")).to_have_count(3)
    page.reload()
    expect(page.locator("h1")).to_have_text("Power of Tetouan's three zones")


def test_the_command_is_the_one_to_paste_and_has_no_token(enter, token_for):
    token = token_for()
    page = enter(token=token)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.fill("#field-humidity_percent", "77")
    page.click("text=Copy")
    expect(page.locator(".told")).to_have_text("Copied.")
    command = page.evaluate("() => navigator.clipboard.readText()")
    assert '-H "Authorization: Bearer $TOKEN"' in command
    assert '"humidity_percent":77' in command
    assert "/v1/energy/predict" in command
    assert token not in command
    page.click("nav a[href='#octagon']")
    page.set_input_files(
        "#files",
        {
            "name": "it's.jpg",
            "mimeType": "image/jpeg",
            "buffer": (OCTAGONS / "plain_1.jpg").read_bytes(),
        },
    )
    expect(page.locator(".toggle")).to_be_visible()
    shown = page.locator(".curl code").inner_text()
    assert "--data-binary '@it'\\''s.jpg'" in shown
    assert "/v1/octagon/explain" in shown
    assert token not in shown


def test_a_service_that_stops_is_shown_as_not_ready_and_then_as_silent(visit, run):
    service = run(BENTOFLEET_DRAIN_S="12")  # the small models
    service.wait()
    page = visit(service, "adder")
    expect(page.locator("#health")).to_contain_text("Ready")
    service.process.send_signal(signal.SIGTERM)
    expect(page.locator("#health")).to_contain_text("Not ready")
    expect(page.locator("#alarm")).to_contain_text("the process is stopping")
    service.process.kill()
    expect(page.locator("#health")).to_contain_text("No answer")
    expect(page.locator("#alarm")).to_contain_text("The service does not answer.")


def test_a_model_that_the_page_never_heard_of_appears_by_itself(visit, run):
    service = run()  # the small models are in no file of the page
    service.wait()
    page = visit(service, "adder", language="es")
    assert page.locator("nav a span").all_inner_texts() == ["Sums", "Mean colour"]
    ask(page)
    expect(page.locator(".result .field dd").first).to_have_text("5,5")
    expect(page.locator("h1")).to_have_attribute("lang", "en")


def test_it_can_be_used_with_the_keyboard_alone(enter):
    page = enter("octagon")
    # The browser hands the choice to us only from now on, and is told so beside the keys' way.
    page.on("filechooser", lambda chooser: None)
    page.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); }")
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#work")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    with page.expect_file_chooser():
        page.keyboard.press("Space")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_it_fits_a_telephone(enter, model):
    page = enter(model, viewport={"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360


def test_the_page_of_the_api_lists_every_operation_and_shows_its_example(visit, real):
    page = visit(real, path=contract.DOCS)
    document = page.request.get(f"{real.url}{contract.OPENAPI}").json()
    described = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    rows = page.locator(".opblock-summary")
    expect(rows).to_have_count(len(described))
    shown = {
        (
            row.locator(".opblock-summary-method").inner_text().lower(),
            row.locator(".opblock-summary-path").get_attribute("data-path"),
        )
        for row in rows.all()
    }
    assert shown == described
    operation = page.locator("#operations-energy-energy_predict")
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".body-param__example")).to_contain_text("humidity_percent")
    expect(operation.locator(".responses-table").first).to_contain_text("429")
