"""Take the pictures of the documentation from the demo's report, in a browser (`make pictures`)."""

import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

FOLDER = Path(__file__).with_name("pictures")


def main(report):
    """Write report.png (its start page) and explorer.png (its interactive page)."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tempfile.mkdtemp()}"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    browser.implicitly_wait(10)
    browser.set_window_size(1340, 900)
    browser.get(Path(report).resolve().as_uri())
    browser.find_element(By.CSS_SELECTOR, ".prose table")
    time.sleep(1)
    browser.save_screenshot(FOLDER / "report.png")
    browser.find_element(By.XPATH, "//*[normalize-space(text())='2 Responses']").click()
    row = browser.find_element(By.XPATH, "//tr[td[starts-with(., 'Interactive')]]")
    row.find_element(By.TAG_NAME, "a").click()
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
    Select(browser.find_element(By.NAME, "chosen_network")).select_by_visible_text("SRL")
    time.sleep(1)
    browser.save_screenshot(FOLDER / "explorer.png")
    browser.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
