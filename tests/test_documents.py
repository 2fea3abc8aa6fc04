"""The pages: links lead somewhere, files that they name are there, and claims ended as they say."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:alexnet_tf|preprocessing|tests|configs|docs)/[\w./-]+)`")


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_pages_and_headings(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_are_there(page):
    """Names with capital words are the reader's own, such as configs/NAME.yaml."""
    names = NAMED.findall(page.read_text(encoding="utf-8"))
    assert [n for n in names if not re.search("[A-Z]{2}", n) and not (ROOT / n).exists()] == []


def claims_in_readme() -> list[tuple[str, str, str]]:
    """Claim, what it says came out, and the verdict: of each row of its table of claims."""
    row = re.compile(r"(?m)^\| `([\w-]+)`: .*\| (.*) \| (\w+)[^|]*\|$")
    return row.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("claim", "came_out", "verdict"), claims_in_readme(), ids=lambda x: x[:40])
def test_readme_says_what_came_out_of_a_claim(claim, came_out, verdict):
    """In words of its own, so the figures are looked for as they would be written."""
    [file] = ROOT.glob(f"docs/reproduction/claims/{claim}/*/result.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert verdict == result["verdict"]
    if result["kind"] not in ("ratio", "every-run"):
        figures = [abs(100 * result[name]) for name in ("effect", "low", "high")]
        written = set(map(float, re.findall(r"\d+\.\d", came_out)))
        rounded = 0.05 + 1e-6
        assert all(min(abs(figure - each) for each in written) < rounded for figure in figures)


def test_readme_has_claims():
    assert len(claims_in_readme()) > 5
