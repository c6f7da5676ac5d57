from __future__ import annotations

import base64
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from fluvial.report.page import Curve, ReportData, ReportMolecule, write_report

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed"),
]

# rank, SMILES, reward, qed, mw, first step, status
ROWS: list[tuple[int, str, float | None, float | None, float, int, str]] = [
    (1, "c1ccncc1", 0.9, 0.45, 79.1, 100, "ok"),
    (2, "CCO", 0.8, 0.41, 46.07, 9, "ok"),
    (3, "CC(=O)Oc1ccccc1C(=O)O", 0.7, 0.55, 180.16, 20, "ok"),
    (4, "N->[Pt](Cl)Cl", 1e-4, None, 283.0, 1000, "filtered"),
    (5, "CC(=O)Nc1ccc(O)cc1", None, 0.59, 151.16, 3, "failed"),
]
RANKS_BY_QED = ["2", "1", "3", "5", "4"]


def example(rows: list[tuple[int, str, float | None, float | None, float, int, str]]) -> ReportData:
    molecules = [
        ReportMolecule(rank, smiles, reward, {"QED": qed, "Mol. weight (Da)": mw}, 1, step, status)
        for rank, smiles, reward, qed, mw, step, status in rows
    ]
    curves = [
        Curve(
            "Reward",
            "",
            "step",
            {"median": [(0, 0.0), (100, 1.0)], "low": [], "best": [(0, 1.0), (100, 1.0)]},
        ),
        Curve("Loss", "", "step", {"loss": [(0, 100.0), (50, 10.0), (100, 1.0)]}, log_scale=True),
    ]
    names = ["QED", "Mol. weight (Da)"]
    return ReportData("A <run>", "of five", molecules, names, curves, "a = 1 # </pre>", {"Steps": "100"})


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in [
        *FLAGS.split(),
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
        "--window-size=1300,900",
    ]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def shown(chrome: Chrome, tmp_path: Path) -> Iterator[Chrome]:
    """The example's page; afterwards the browser must have nothing to complain of and nothing fetched."""
    chrome.get(write_report(example(ROWS), tmp_path / "report.html").as_uri())
    yield chrome
    assert complaints(chrome) == []
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0


def complaints(driver: Chrome) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return entries


def find(driver: Chrome, css: str) -> WebElement:
    return driver.find_element(By.CSS_SELECTOR, css)


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def filter_by(driver: Chrome, text: str) -> None:
    """Put a text into the filter and come back after the pause that the page makes while one types."""
    script = """
    const [text, done] = arguments, field = document.getElementById("filter");
    field.value = text;
    field.dispatchEvent(new Event("input"));
    setTimeout(done, 150);
    """
    driver.execute_async_script(script, text)


def ranks(driver: Chrome) -> tuple[list[str], list[str]]:
    """Ranks of the rows and of the cards that are not filtered away, in their order."""
    rows = driver.execute_script(
        "return [...document.querySelectorAll('tbody tr:not([hidden]) th')].map(e => e.textContent)"
    )
    cards = driver.execute_script(
        "return [...document.querySelectorAll('.card:not([hidden]) .rank')].map(e => e.lastChild.textContent)"
    )
    return rows, cards


def test_the_page_shows_cards_first(shown: Chrome) -> None:
    assert shown.title == "A <run>"
    assert find(shown, "#cards").is_displayed()
    assert not find(shown, "#table").is_displayed()
    assert find(shown, "#tools").is_displayed()
    assert find(shown, "#count").text == "5 of 5 shown"
    assert ranks(shown) == (["1", "2", "3", "4", "5"], ["1", "2", "3", "4", "5"])
    sizes = [
        (svg.size["width"], svg.size["height"])
        for svg in shown.find_elements(By.CSS_SELECTOR, ".picture svg")
    ]
    assert len(sizes) == 5
    assert all(width > 150 and height > 100 for width, height in sizes)


def test_the_view_is_toggled_by_keyboard(shown: Chrome) -> None:
    button = find(shown, "[data-view=table]")
    button.send_keys(Keys.ENTER)
    assert find(shown, "#table").is_displayed()
    assert not find(shown, "#cards").is_displayed()
    assert button.get_attribute("aria-pressed") == "true"
    small = find(shown, "tbody tr:first-child .small svg")
    drawn = shown.execute_script("return arguments[0].querySelector('use').getBBox().width", small)
    assert drawn > 20


def test_each_column_sorts_both_ways_and_missing_values_stay_last(shown: Chrome) -> None:
    find(shown, "[data-view=table]").click()
    head = find(shown, "th[data-name=QED]")
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"
    assert ranks(shown) == (RANKS_BY_QED, RANKS_BY_QED)
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert ranks(shown)[0] == ["5", "3", "1", "2", "4"]
    assert len(shown.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1

    orders = {}
    for name in ("rank", "smiles", "reward", "first_step", "Mol. weight (Da)", "status"):
        find(shown, f"th[data-name='{name}'] button").click()
        orders[name] = "".join(ranks(shown)[0])
    assert orders == {
        "rank": "12345",
        "smiles": "53241",
        "reward": "43215",
        "first_step": "52314",  # as numbers: 3, 9, 20, 100, 1000
        "Mol. weight (Da)": "21534",
        "status": "54123",
    }


def test_cards_can_be_sorted_too(shown: Chrome) -> None:
    order = Select(find(shown, "#order"))
    assert [option.text for option in order.options][:4] == ["Rank", "SMILES", "Reward", "QED"]
    order.select_by_visible_text("QED")
    assert ranks(shown)[1] == RANKS_BY_QED
    find(shown, "#turn").click()
    assert ranks(shown)[1] == ["5", "3", "1", "2", "4"]


FILTERS = {
    "qed > 0.5": "35",
    "QED >= 0.45, mol. weight (da) < 160": "15",
    "qed > 0.5 and reward < 1": "3",
    "qed>.5 first_step<=3": "5",
    "First step ≥ 1e2": "14",
    "reward != 0.9": "234",
    "qed < 1": "1235",
    "status = FAILED": "5",
    "status != ok": "45",
    "smiles = CCO": "2",
    "smiles = cco": "",
    "C(=O)": "35",
    "c1cc": "135",
    "C(=O) c1ccccc1": "3",
    "C(=O)O, qed > 0.5": "3",
    "C=O qed > 0.5": "",
    "N->[Pt]": "4",
    "rank == 2;": "2",
    "  ": "12345",
    "zzz": "",
}


def test_the_filter_holds_for_cards_and_table(shown: Chrome) -> None:
    found = {}
    for text, expected in FILTERS.items():
        filter_by(shown, text)
        rows, cards = ranks(shown)
        found[text] = "".join(rows)
        assert rows == cards
        assert find(shown, "#count").text == f"{len(rows)} of 5 shown"
        assert find(shown, "#problem").text == ""
        assert find(shown, "#nothing").is_displayed() == (not expected)
    assert found == FILTERS


PROBLEMS = {
    "logp > 3": "There is no column “logp”.",
    "qed > high": "“qed >” needs a number after it.",
    "qed >": "“qed >” needs a number after it.",
    "status =": "“status =” needs a word after it.",
    "> 3": "“>” needs a column before it.",
    "qed": "Say what you ask of “QED”: QED > 1.",
    "qed > 0.5, constructor > 1": "There is no column “constructor”.",
    "<img/src=x>": "“<img/src=x>” needs a column before it.",
}


def test_a_filter_that_makes_no_sense_is_explained(shown: Chrome) -> None:
    filter_by(shown, "qed > 0.5")
    columns = (
        "The columns are rank, smiles, reward, QED, Mol. weight (Da), times_sampled, first_step, status."
    )
    said = {}
    for text in PROBLEMS:
        filter_by(shown, text)
        said[text] = find(shown, "#problem").text.removesuffix(" " + columns)
        assert find(shown, "#filter").get_attribute("aria-invalid") == "true"
        assert find(shown, "#count").text == "2 of 5 shown"  # what was there stays
    assert said == PROBLEMS
    filter_by(shown, "reward > 0.75")
    assert find(shown, "#problem").text == ""
    assert find(shown, "#filter").get_attribute("aria-invalid") == "false"


def test_an_empty_result_can_be_cleared(shown: Chrome) -> None:
    find(shown, "#filter").send_keys("zzz")
    wait(lambda: find(shown, "#count").text == "0 of 5 shown")
    assert not find(shown, "#cards").is_displayed()
    assert not find(shown, "#save").is_enabled()
    find(shown, "#clear").click()
    assert find(shown, "#count").text == "5 of 5 shown"
    assert find(shown, "#cards").is_displayed()
    assert find(shown, "#filter").get_attribute("value") == ""


def test_the_filtered_table_is_downloaded_as_csv(chrome: Chrome, tmp_path: Path) -> None:
    rows = [*ROWS, (6, '=HYPERLINK("x"),1', 0.1, 0.123456789012, 1.0, 1, "o,k")]
    chrome.get(write_report(example(rows), tmp_path / "report.html").as_uri())
    folder = tmp_path / "downloads"
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    filter_by(chrome, "mol. weight (da) < 170")
    Select(find(chrome, "#order")).select_by_visible_text("QED")
    find(chrome, "#save").click()
    # The browser first makes an empty file of the final name.
    wait(lambda: any(file.stat().st_size for file in folder.glob("*.csv")))
    (path,) = folder.glob("*.csv")
    assert path.name == "A-run-.csv"
    assert path.read_bytes().decode().split("\r\n") == [
        "rank,smiles,reward,QED,Mol. weight (Da),times_sampled,first_step,status",
        '6,"\'=HYPERLINK(""x""),1",0.1,0.123456789012,1,1,1,"o,k"',
        "2,CCO,0.8,0.41,46.07,1,9,ok",
        "1,c1ccncc1,0.9,0.45,79.1,1,100,ok",
        "5,CC(=O)Nc1ccc(O)cc1,,0.59,151.16,1,3,failed",
        "",
    ]
    assert complaints(chrome) == []


COPY_BY_API = "navigator.clipboard.writeText = async (text) => { window.copied = text; };"
COPY_BY_COMMAND = """
navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
addEventListener("copy", () => { window.copied = document.activeElement.value; });
"""


@pytest.mark.parametrize("way", [COPY_BY_API, COPY_BY_COMMAND], ids=["clipboard", "command"])
def test_smiles_are_copied(shown: Chrome, way: str) -> None:
    shown.execute_script(way)
    filter_by(shown, "qed > 0.5")
    find(shown, "#copy").click()
    wait(lambda: find(shown, "#said").text == "Copied 2 SMILES.")
    assert shown.execute_script("return window.copied") == "CC(=O)Oc1ccccc1C(=O)O\nCC(=O)Nc1ccc(O)cc1"
    button = find(shown, ".card:not([hidden]) [data-copy]")
    assert button.get_attribute("aria-label") == "Copy the SMILES of rank 3"
    button.click()
    wait(lambda: find(shown, "#said").text == "Copied the SMILES.")
    assert shown.execute_script("return window.copied") == "CC(=O)Oc1ccccc1C(=O)O"


def test_the_pointer_reads_a_chart(shown: Chrome) -> None:
    chart = shown.find_elements(By.CSS_SELECTOR, ".chart")[1]
    axis = chart.find_element(By.CSS_SELECTOR, ".axis")
    width = axis.size["width"]

    def value_at(share: float) -> str:
        """What the legend says with the pointer above a share of the axis."""
        ActionChains(shown).move_to_element_with_offset(axis, round((share - 0.5) * width), -20).perform()
        return chart.find_element(By.CSS_SELECTOR, ".legend b").text

    # Three points of a logarithmic chart; between them there is nothing near enough to read.
    assert [value_at(share) for share in (0.01, 0.25, 0.5, 0.99)] == ["100", "–", "10", "1"]
    place = chart.find_element(By.CSS_SELECTOR, ".place")
    assert place.text in {"step 98", "step 99", "step 100"}
    ActionChains(shown).move_to_element(find(shown, "h1")).perform()
    assert place.text == "step"


def test_molecules_without_pictures_are_announced(chrome: Chrome, tmp_path: Path) -> None:
    chrome.get(write_report(example(ROWS), tmp_path / "some.html", n_pictures=2).as_uri())
    assert find(chrome, "#more").text.endswith("3 more of those shown are in the table.")
    filter_by(chrome, "reward >= 0.7")
    assert find(chrome, "#more").text.endswith("1 more of those shown is in the table.")
    filter_by(chrome, "reward >= 0.8")
    assert not find(chrome, "#more").is_displayed()

    chrome.get(write_report(example(ROWS), tmp_path / "none.html", n_pictures=0).as_uri())
    assert find(chrome, "#table").is_displayed()
    assert not find(chrome, "#views").is_displayed()
    assert complaints(chrome) == []


def test_an_empty_run_has_a_page(chrome: Chrome, tmp_path: Path) -> None:
    chrome.get(write_report(example([]), tmp_path / "report.html").as_uri())
    assert "No molecules yet" in find(chrome, "main").text
    assert complaints(chrome) == []


def test_hostile_texts_run_nothing(chrome: Chrome, tmp_path: Path) -> None:
    nasty = "</pre></script><script>window.hit=1</script><img src=x onerror='window.hit=1'>\"'"
    molecules = [ReportMolecule(i, nasty, 0.1, {nasty: 0.2}, 1, 1, nasty) for i in (1, 2)]
    curve = Curve(nasty, nasty, nasty, {nasty: [(0, 1.0), (1, 2.0)]})
    data = ReportData(nasty, nasty, molecules, [nasty], [curve], nasty, {nasty: nasty})
    chrome.get(write_report(data, tmp_path / "report.html").as_uri())
    filter_by(chrome, f"{nasty} > 1, foo")
    filter_by(chrome, "bad > <img src=x>")
    find(chrome, "[data-view=table]").click()
    assert chrome.execute_script("return window.hit === undefined && document.images.length === 0")
    assert find(chrome, "pre").get_attribute("textContent") == nasty
    assert find(chrome, "h1").text == nasty
    assert complaints(chrome) == []


def test_the_page_fits_a_phone(shown: Chrome) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for name in ("table", "cards"):
        shown.execute_script(f"document.querySelector('[data-view={name}]').click()")
        assert shown.execute_script("return document.documentElement.scrollWidth") == 360
    shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_printed_page_has_the_configuration_and_no_controls(shown: Chrome) -> None:
    filter_by(shown, "qed > 0.5")
    shown.execute_script(
        "addEventListener('beforeprint', () => { window.opened = document.querySelector('details').open; });"
    )
    printed = shown.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert re.findall(rb"/MediaBox \[0 0 (\d+)[.\d]* (\d+)", pdf)[0] == (b"594", b"841")
    assert shown.execute_script("return window.opened") is True
    assert not shown.execute_script("return document.querySelector('details').open")
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    visible = [
        button
        for button in shown.find_elements(By.CSS_SELECTOR, "button, input, select")
        if button.is_displayed()
    ]
    assert visible == []
    assert find(shown, "#applied").text == "Filter: qed > 0.5"
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_dark_mode_keeps_pictures_on_a_light_ground(shown: Chrome) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def brightness(css: str) -> int:
        colour = find(shown, css).value_of_css_property("background-color")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert brightness("body") < 100
    assert brightness(".picture") > 650
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
