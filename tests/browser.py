"""A real browser for the tests of what a person sees: Debian's chromium, without a window."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Route, async_playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = Path(__file__).parents[1] / "ui-screenshots"
PATIENCE_MILLISECONDS = 30_000
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def installed_chromium() -> Path:
    """Fails the test, with the way out, where there is none."""
    if not CHROMIUM.exists():
        pytest.fail(f"there is no {CHROMIUM}: install it with apt-get install chromium", pytrace=False)
    return CHROMIUM


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Page]:
    """A page of a browser that can reach what begins with ``url`` only."""

    async def stay_here(route: Route) -> None:
        if route.request.url.startswith(url):
            await route.continue_()
        else:
            await route.abort()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed_chromium(), args=_ARGUMENTS)
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, base_url=url)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        await context.route("**/*", stay_here)
        yield await context.new_page()
        await browser.close()


async def seen(what: Locator) -> None:
    await expect(what).to_be_visible(timeout=PATIENCE_MILLISECONDS)


async def keep(page: Page, name: str) -> None:
    """A screenshot."""
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


async def open_editor(page: Page, variable: str) -> Locator:
    """Open the editor of a Variable in Prefect's UI; returns the field of its value."""
    await page.goto("/variables")
    row = page.get_by_role("row").filter(has_text=variable)
    await row.get_by_role("button").last.click()
    await page.get_by_text("Edit", exact=True).click()
    await seen(page.get_by_text(f"Edit {variable}"))
    return page.locator("textarea")


async def save_variable(page: Page, variable: str) -> None:
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(f"Edit {variable}")).to_be_hidden(timeout=PATIENCE_MILLISECONDS)


async def open_form(page: Page) -> Locator:
    """On the page of a deployment, open the form of a run with parameters of its own; returns its fields."""
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.get_by_text("Custom run").click()
    return page.locator(".schema-form-property")


async def submit_form(page: Page) -> None:
    # Whoever leaves the page before the server has the run has not started it.
    async with page.expect_response(re.compile("/create_flow_run")):
        await page.get_by_role("button", name="Submit").click()


async def open_artifact(page: Page, key: str, *, tries: int = 60) -> None:
    """Open the newest version of an artifact, once there is one."""
    for _ in range(tries):
        await page.goto(f"/artifacts/key/{key}")
        versions = page.get_by_role("link", name=re.compile(r"^[0-9a-f]{8}$"))
        try:
            await expect(versions.first).to_be_visible(timeout=3_000)
        except AssertionError:
            continue
        await versions.first.click()
        return
    raise AssertionError(f"no artifact {key} came")
