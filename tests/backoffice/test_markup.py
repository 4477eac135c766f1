"""Every page keeps to the content policy, says what it shows, and shows it whole."""

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client

from tests.backoffice.conftest import Scene
from transactions.amount_cells import amount_cell, grouped
from users.staff_screens import identifier, state

PUBLIC = ["/", "/admin/login/", "/docs/errors", "/docs/errors/insufficient_funds", "/api/docs", "/nowhere"]
LISTS = [
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for model, screen in admin.site._registry.items()
    if not screen.list_page  # type: ignore[attr-defined]
]


class Offences(HTMLParser):
    """Collects what the content policy would refuse."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.found.append(f"<{tag} {name}>")
            loads = name in ("src", "action") or (tag == "link" and name == "href")
            if loads and not (value or "").startswith("/"):
                self.found.append(f"<{tag} {name}={value}>")
            if (value or "").startswith("javascript:"):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style") and data.strip():
            self.found.append(f"inline {self.inside}")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


def details(scene: Scene) -> Iterator[str]:
    yield f"/admin/customers/{scene.alice.id}/"
    yield f"/admin/wallets/{scene.alices_wallet}/"
    yield f"/admin/transactions/ledgeraccount/{scene.alices_wallet}/change/"
    yield f"/admin/transactions/transfer/{scene.transfer}/change/"
    yield f"/admin/transactions/transaction/{scene.debit}/change/"
    yield f"/admin/wallets/{scene.alices_wallet}/explain/"


@pytest.mark.parametrize("path", PUBLIC)
def test_when_anybody_opens_a_page_then_nothing_in_it_is_inline_or_from_elsewhere(
    db: None, path: str
) -> None:
    html = Client().get(path, headers={"accept": "text/html"}).content.decode()

    assert "<html" in html
    assert Offences(html).found == []


def test_when_staff_open_the_screens_then_nothing_in_them_is_inline_or_from_elsewhere(
    staff: Client, scene: Scene
) -> None:
    paths = ["/admin/", f"/admin/search/?q={scene.bob.email}", *LISTS, *details(scene)]

    answers = {path: staff.get(path) for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    offences = {path: Offences(answer.content.decode()).found for path, answer in answers.items()}
    assert offences == {path: [] for path in paths}


def test_when_markup_is_inline_then_the_check_sees_it() -> None:
    html = '<p style="x" onclick="y"><script>z</script><style>q</style><img src="//other.example/i.png">'

    assert Offences(html).found == ["<p style>", "<p onclick>", "inline script", "inline style"]
    assert Offences('<img src="https://other.example/i.png">').found == [
        "<img src=https://other.example/i.png>"
    ]


def test_when_an_account_is_shown_then_its_money_and_lines_are_on_the_page(
    staff: Client, scene: Scene
) -> None:
    html = staff.get(f"/admin/transactions/ledgeraccount/{scene.alices_wallet}/change/").content.decode()

    assert '<span class="amount">1,234,555.39&nbsp;<span class="currency">EUR</span></span>' in html
    assert '<span class="amount amount-out">−12.50&nbsp;<span class="currency">EUR</span></span>' in html
    assert str(scene.debit) in html
    assert f'href="/admin/transactions/?wallet_id={scene.alices_wallet}"' in html


def test_when_a_transfer_is_shown_then_both_sides_are_on_the_page(staff: Client, scene: Scene) -> None:
    html = staff.get(f"/admin/transactions/transfer/{scene.transfer}/change/").content.decode()

    assert "Transfer of 12.50 EUR" in html
    for found in (scene.alices_wallet, scene.bobs_wallet, scene.debit, scene.credit):
        assert f'title="{found}"' in html


@pytest.mark.parametrize(("sandbox", "marks"), [(True, 2), (False, 0)])
@pytest.mark.parametrize("path", ["/", "/admin/login/", "/docs/errors"])
def test_when_the_money_is_pretended_then_every_page_says_so(
    db: None, settings: object, path: str, sandbox: bool, marks: int
) -> None:
    settings.SANDBOX = sandbox  # type: ignore[attr-defined]

    html = Client().get(path, headers={"accept": "text/html"}).content.decode()

    assert html.count('class="sandbox"') + html.count('class="sandbox-stripe"') == marks


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (128493018, "USD", "1,284,930.18"),
        (-5, "USD", "−0.05"),
        (0, "USD", "0.00"),
        (1234567, "JPY", "1,234,567"),
        (1234567, "KWD", "1,234.567"),
        (-12345, "CLF", "−1.2345"),
    ],
)
def test_when_an_amount_is_shown_then_it_has_its_currencys_digits(
    amount: int, currency: str, written: str
) -> None:
    assert grouped(amount, currency) == written


def test_when_an_amount_is_shown_with_its_sign_then_money_in_has_a_plus() -> None:
    assert amount_cell(100, "USD", with_sign=True).startswith('<span class="amount amount-in">+1.00&nbsp;')
    assert amount_cell(-100, "USD", with_sign=True).startswith('<span class="amount amount-out">−1.00&nbsp;')


def test_when_an_id_is_shown_then_it_is_short_and_can_be_had_whole() -> None:
    cell = identifier("019aa000-0000-7000-8000-0000000000ab", url="/x")

    assert '<a class="id" href="/x" title="019aa000-0000-7000-8000-0000000000ab">019aa000…0000ab</a>' in cell
    assert 'data-copy="019aa000-0000-7000-8000-0000000000ab"' in cell


@pytest.mark.parametrize("shown", [identifier, state])
def test_when_text_comes_from_outside_then_it_is_escaped(shown: object) -> None:
    assert "<script>" not in shown("<script>alert(1)</script>")  # type: ignore[operator]
