"""The report in a real browser, opened as a file and without network: what a colleague sees to whom it was sent."""

import base64
import json
import re
import shutil
import time

import pandas as pd
import pytest

from conftest import unpacked
from csnn.report import pages

selenium = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1500,950",
]  # fmt: skip

TABLE = "div.dt-container table"  # that can be sorted
SHOWN = "#app div.grow img, #app div.grow iframe"  # the item that is shown
INTERACTIVE = "Interactive: choose network, τ and image"

ITEMS = {
    "1 Results": {
        "Against τ": {"Against τ"},
        "Decisions": {"Accuracy over time", "Agreement with the CNN", "Confusion matrices", "Settling time"},
        "Tables": {
            "Accuracy and loss of RLR",
            "Accuracy and loss of every network",
            "Health check: what the layers of neurons do",
            "How far probabilities can be trusted",
        },
    },
    "2 Responses": {
        None: {
            "Interactive: choose network, τ and image",
            "Logits of RLR",
            "Logits of every neuron",
            "Spikes and membrane potentials",
            "The image shown",
        }
    },
    "3 Activity and cost": {None: {"NeuroBench's metrics"}},
    "4 Data and model": {None: {"Images of every class", "The CNN, layer by layer"}},
    "5 Provenance": {None: {"Where the numbers come from"}},
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser that keeps a record of its console and of all that it fetches."""
    options = selenium.ChromeOptions()
    for argument in [*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(argument)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = selenium.Chrome(options=options, service=Service(DRIVER))
    browser.implicitly_wait(10)
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, finished):
    """Return the browser with the report open; when the test is over, nothing must have gone wrong in it."""
    browser.get((finished.results / "report.html").as_uri())
    yield browser
    fetched = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in fetched if one["method"] == "Network.requestWillBeSent"}
    assert any(url.startswith("file:") for url in urls)
    assert not [url for url in urls if url.startswith(("http", "ws"))]
    assert not [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def click(page, text: str) -> None:
    """Click what has exactly this text."""
    page.find_element(By.XPATH, f'//*[normalize-space(text())="{text}"]').click()


def items(page) -> dict:
    """Return the rows of the list that is open, by their first column."""
    rows = page.find_elements(By.CSS_SELECTOR, "#app table.table-auto tbody tr")
    return {row.find_elements(By.TAG_NAME, "td")[0].text: row for row in rows}


def places():
    return [(heading, part) for heading, parts in ITEMS.items() for part in parts]


def go_to(page, heading: str, part: str | None) -> None:
    """Open a list of items from the start page."""
    click(page, heading)
    if part:
        click(page, part)


@needs_browser
class TestReport:
    def test_opens_with_question_table_and_meaning(self, page):
        assert page.title == "small: spiking networks"
        text = page.find_element(By.ID, "app").text
        assert re.search(r"What was asked\. How much .* 15 test images, each shown for 12 ms", text)
        table = page.find_element(By.CSS_SELECTOR, ".prose table")
        rows = [row.text.split(" ")[0] for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")]
        assert rows == ["CNN", "RLR,", "LIF"]
        assert re.search(r"What it means\. The spiking network, LIF at τ = \d+ ms, classifies \d+\.\d % of the", text)
        assert "paper" not in text

    def test_has_the_headings_in_the_order_in_which_one_asks(self, page):
        page.find_element(By.XPATH, '//*[normalize-space(text())="1 Results"]')
        menu = page.find_element(By.ID, "app").text
        assert re.findall(r"^\d [A-Z].*$", menu, re.MULTILINE) == list(ITEMS)

    @pytest.mark.parametrize(("heading", "part"), places())
    def test_every_item_opens_and_has_a_caption(self, page, heading, part):
        go_to(page, heading, part)
        assert set(items(page)) == ITEMS[heading][part]
        for item in ITEMS[heading][part]:
            look, about = items(page)[item].find_elements(By.CSS_SELECTOR, "a")
            look.click()
            shown = page.find_element(By.CSS_SELECTOR, SHOWN)
            if shown.tag_name == "img":
                WebDriverWait(page, 10).until(lambda _, shown=shown: shown.get_property("naturalWidth") > 100)
                assert shown.get_attribute("alt").startswith(item)
            else:
                assert shown.get_attribute("title") == item
                page.switch_to.frame(shown)
                assert page.find_element(By.TAG_NAME, "h1").text
                page.switch_to.default_content()
            about.click()
            caption = page.find_element(
                By.XPATH, "//*[normalize-space(text())='Description']/following-sibling::*"
            ).text
            assert len(caption) > 40 and "{{" not in caption and "system-message" not in caption.lower()
            page.refresh()
            go_to(page, heading, part)

    def test_a_switch_changes_from_accuracy_to_loss(self, page):
        go_to(page, "1 Results", "Against τ")
        items(page)["Against τ"].find_elements(By.CSS_SELECTOR, "a")[0].click()
        accuracy = page.find_element(By.CSS_SELECTOR, SHOWN).get_attribute("src")
        click(page, "loss")
        WebDriverWait(page, 10).until(
            lambda _: page.find_element(By.CSS_SELECTOR, SHOWN).get_attribute("src") != accuracy
        )

    def test_search_finds_an_item_by_its_file(self, page):
        field = page.find_element(By.CSS_SELECTOR, "input[placeholder='Search...']")
        field.send_keys("settling\n")
        assert set(items(page)) == {"Settling time"}


@needs_browser
class TestInteractivePage:
    @pytest.fixture
    def explorer(self, page):
        go_to(page, "2 Responses", None)
        items(page)[INTERACTIVE].find_elements(By.CSS_SELECTOR, "a")[0].click()
        page.switch_to.frame(page.find_element(By.CSS_SELECTOR, SHOWN))
        page.find_element(By.CSS_SELECTOR, "#chart svg .mark-line path")
        yield page
        page.switch_to.default_content()

    @staticmethod
    def state(page) -> dict:
        """Return what the page shows: lines, decisions, words and image."""
        marks = page.find_elements(By.CSS_SELECTOR, "#chart .mark-line > *")
        return {
            "line": [mark.get_attribute("d") for mark in marks],
            "decisions": len(page.find_elements(By.CSS_SELECTOR, "#chart .mark-rect > *")),
            "words": page.find_element(By.ID, "words").text,
            "image": page.find_element(By.ID, "picture").get_attribute("src"),
        }

    def chosen(self, page, field: str, place: int) -> tuple[dict, dict]:
        """Choose another option of a field; return what was shown before and what is shown then."""
        before = self.state(page)
        Select(page.find_element(By.CSS_SELECTOR, f"select[name=chosen_{field}]")).select_by_index(place)
        time.sleep(0.5)  # Vega draws in the next frames
        return before, self.state(page)

    def test_shows_a_line_for_each_class_the_image_and_the_decision_of_the_cnn(self, explorer):
        state = self.state(explorer)
        assert len(state["line"]) == 10 and state["decisions"] >= 2
        assert state["image"].startswith("data:image/png")
        assert "true class" in state["words"] and "CNN" in state["words"]

    def test_keys_step_through_images_and_the_address_keeps_what_is_shown(self, explorer):
        explorer.find_element(By.TAG_NAME, "h1").click()
        explorer.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_RIGHT, "n")
        time.sleep(0.5)
        stepped = self.state(explorer)
        assert Select(explorer.find_element(By.NAME, "chosen_network")).first_selected_option.text == "LIF"
        image = Select(explorer.find_element(By.NAME, "chosen_image"))
        assert image.first_selected_option.text == image.options[1].text
        explorer.switch_to.default_content()
        address = explorer.current_url
        assert "#explorer.html&network=LIF&tau=5&image=" in address
        explorer.get("about:blank")
        explorer.get(address)
        explorer.switch_to.frame(explorer.find_element(By.CSS_SELECTOR, SHOWN))
        explorer.find_element(By.CSS_SELECTOR, "#chart svg .mark-line path")
        WebDriverWait(explorer, 10).until(lambda _: self.state(explorer) == stepped)

    @pytest.mark.parametrize("width", [390, 1440])
    def test_nothing_is_cut_off(self, explorer, finished, width):
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 400}
        explorer.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        explorer.get((finished.results / "report" / "explorer.html").as_uri() + "#network=LIF")
        explorer.find_element(By.CSS_SELECTOR, "#chart svg .mark-line path")
        overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert explorer.execute_script(overflow) <= 0
        explorer.get((finished.results / "report.html").as_uri())
        text = explorer.find_element(By.CSS_SELECTOR, ".prose p")
        menu = explorer.find_element(By.TAG_NAME, "nav").rect
        assert text.rect["x"] + text.rect["width"] <= width
        assert text.rect["x"] >= menu["x"] + menu["width"] or text.rect["y"] >= menu["y"] + menu["height"]
        explorer.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @pytest.mark.parametrize("field", ["network", "tau", "image"])
    def test_reacts_to_each_choice(self, explorer, field):
        before, after = self.chosen(explorer, field, 1)
        assert before["line"] != after["line"]
        assert (before["image"] != after["image"]) is (field == "image")

    def test_table_is_sorted_by_a_click(self, explorer):
        def column():
            return [
                float(cell.text)
                for cell in explorer.find_elements(By.CSS_SELECTOR, f"{TABLE} tbody tr td:nth-child(4)")
            ]

        unsorted = column()
        assert len(unsorted) == 1 + 2 * 2
        head = explorer.find_elements(By.CSS_SELECTOR, f"{TABLE} thead th")[3]
        assert head.text.replace("\n", " ").startswith("accuracy (%)")
        head.click()
        assert column() == sorted(unsorted)
        explorer.find_elements(By.CSS_SELECTOR, f"{TABLE} thead th")[3].click()
        assert column() == sorted(unsorted, reverse=True)


@needs_browser
def test_a_long_table_begins_with_its_head(browser, tmp_path):
    path = tmp_path / "table.html"
    path.write_text(pages.table_page("Long", "", pd.DataFrame({"number": range(50)})))
    browser.get(path.as_uri())
    browser.find_element(By.CSS_SELECTOR, ".dt-layout-table tbody td")
    frame, head = (browser.find_element(By.CSS_SELECTOR, f".dt-layout-table{part}").rect for part in ("", " thead th"))
    assert frame["height"] < 1000 and frame["y"] - 1 <= head["y"] < frame["y"] + 50


def test_images_stay_out_of_the_report_unless_they_are_wanted(finished, tmp_path):
    workflow = finished.copy(tmp_path / "copy")
    workflow.run(changes={"report.show_images": False})
    report = (workflow.results / "report.html").read_text()
    held = {
        name: base64.b64encode((workflow.results / "figures" / f"{name}.png").read_bytes()).decode() in report
        for name in ("figure1", "figure4", "figure5")
    }
    assert held == {"figure1": False, "figure4": False, "figure5": True}
    assert "data:image/png" in unpacked(finished.results / "report" / "explorer.html")
    assert "data:image/png" not in unpacked(workflow.results / "report" / "explorer.html")
