"""A statement as PDF: A4, figures in columns that align, amounts and dates in the form of the customer's locale."""

from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from transactions.money import EXPONENTS
from transactions.queries import BookLine
from transactions.statements import statement_lines
from wallets.statements import WalletStatement

# Inter with tabular figures; of its characters those of the Latin, Greek and Cyrillic scripts.
REGULAR, SEMIBOLD = "Inter", "Inter-SemiBold"
_FONTS = Path(__file__).parent / "statement_fonts"
pdfmetrics.registerFont(TTFont(REGULAR, str(_FONTS / "inter-regular.ttf")))
pdfmetrics.registerFont(TTFont(SEMIBOLD, str(_FONTS / "inter-semibold.ttf")))

WIDTH, HEIGHT = A4
LEFT, RIGHT = 18 * mm, WIDTH - 18 * mm
DATE_X, TEXT_X, AMOUNT_X, BALANCE_X = LEFT, LEFT + 27 * mm, RIGHT - 36 * mm, RIGHT
ROW = 10.2 * mm
FIRST_TOP, NEXT_TOP, BOTTOM = HEIGHT - 96 * mm, HEIGHT - 34 * mm, 24 * mm

INK, SOFT, LINE, BAND, CREDIT = (
    HexColor(colour) for colour in ("#14171f", "#5c6473", "#dfe3ea", "#f4f6f9", "#0a7a4b")
)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def locale_named(name: str) -> Locale:
    """Find a locale (`de-CH`); English where there is none of that name."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale("en")


def money(amount: int, currency: str, locale: Locale, *, with_sign: bool = False) -> str:
    """Write minor units as major ones in a locale's form, with the digits that ISO 4217 gives the currency."""
    exponent = EXPONENTS[currency]
    pattern = copy(locale.decimal_formats[None])
    pattern.frac_prec = (exponent, exponent)
    shown: str = pattern.apply(abs(Decimal(amount).scaleb(-exponent)), locale)
    sign = "−" if amount < 0 else "+" if with_sign and amount > 0 else ""
    return f"{sign}{shown}"


def statement_pdf(statement: WalletStatement) -> bytes:
    """Draw the whole statement; memory grows with its lines, so that callers bound them."""
    return _Paper(statement).drawn()


class _Paper:
    def __init__(self, statement: WalletStatement) -> None:
        self.statement = statement
        self.locale = locale_named(statement.locale)
        self.buffer = BytesIO()
        self.canvas = Canvas(self.buffer, pagesize=A4, pageCompression=1, lang=self.locale.language)
        self.canvas.setTitle(f"Statement {self._period()}")
        self.canvas.setAuthor("Open Wallet")
        self.canvas.setSubject(f"{statement.currency} wallet {statement.wallet_id}")
        self.page = 0
        on_first, on_next = int((FIRST_TOP - BOTTOM) / ROW), int((NEXT_TOP - BOTTOM) / ROW)
        # The closing balance is a row like the others.
        rows = statement.figures.line_count + 1
        self.pages = 1 + max(0, -(-(rows - on_first) // on_next))
        self.y = 0.0

    def drawn(self) -> bytes:
        self._begin_page()
        for line in statement_lines(self.statement.figures, using=self.statement.using):
            self._make_room()
            self._line(line)
        self._make_room()
        self._closing()
        self._end_page()
        self.canvas.save()
        return self.buffer.getvalue()

    def _period(self) -> str:
        period, zone = self.statement.period, self.statement.zone
        if period.month is not None:
            return str(format_date(period.month, "LLLL y", locale=self.locale))
        starts, ends = period.starts.astimezone(zone), period.ends.astimezone(zone)
        if starts.time() == ends.time() == datetime.min.time():
            last = (ends - _TICK).date()
            days = [format_date(day, "long", locale=self.locale) for day in (starts.date(), last)]
            return str(days[0]) if days[0] == days[1] else f"{days[0]} – {days[1]}"
        moments = [format_datetime(moment, "medium", locale=self.locale) for moment in (starts, ends)]
        return f"{moments[0]} – {moments[1]}"

    def _text(
        self, x: float, y: float, text: str, *, font: str = REGULAR, size: float = 9, colour: Any = INK
    ) -> None:
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        self.canvas.drawString(x, y, text)

    def _right(
        self, x: float, y: float, text: str, *, font: str = REGULAR, size: float = 9, colour: Any = INK
    ) -> None:
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        self.canvas.drawRightString(x, y, text)

    def _rule(self, y: float, *, colour: Any = LINE, width: float = 0.6) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(width)
        self.canvas.line(LEFT, y, RIGHT, y)

    def _begin_page(self) -> None:
        self.page += 1
        if self.page == 1:
            self._head()
            self.y = FIRST_TOP
        else:
            self._text(LEFT, HEIGHT - 18 * mm, "Open Wallet", font=SEMIBOLD, size=9)
            self._right(RIGHT, HEIGHT - 18 * mm, f"Statement · {self._period()}", size=8.5, colour=SOFT)
            self.y = NEXT_TOP
        self._column_heads(self.y + 3.5 * mm)

    def _head(self) -> None:
        statement = self.statement
        self._text(LEFT, HEIGHT - 21 * mm, "Open Wallet", font=SEMIBOLD, size=11)
        self._text(LEFT, HEIGHT - 35 * mm, "Statement", font=SEMIBOLD, size=22)
        self._text(LEFT, HEIGHT - 42 * mm, self._period(), size=11, colour=SOFT)
        facts = (
            ("Owner", statement.owner_name or statement.owner_email),
            ("", statement.owner_email if statement.owner_name else ""),
            ("Wallet", str(statement.wallet_id)),
            ("Currency", statement.currency),
            ("Times", statement.zone.key),
        )
        y = HEIGHT - 21 * mm
        for name, value in facts:
            if value:
                self._text(LEFT + 78 * mm, y, name, size=8.5, colour=SOFT)
                self._text(LEFT + 97 * mm, y, self._fitting(value, RIGHT - LEFT - 97 * mm, 8.5), size=8.5)
                y -= 5 * mm
        self._figures(HEIGHT - 55 * mm)

    def _figures(self, top: float) -> None:
        figures = self.statement.figures
        height, width = 24 * mm, RIGHT - LEFT
        self.canvas.setFillColor(BAND)
        self.canvas.roundRect(LEFT, top - height, width, height, 2.5 * mm, stroke=0, fill=1)
        shown = (
            ("Opening balance", figures.opening_balance),
            ("Money in", figures.total_in),
            ("Money out", -figures.total_out),
            ("Closing balance", figures.closing_balance),
        )
        for place, (name, amount) in enumerate(shown):
            x = LEFT + 6 * mm + place * (width - 6 * mm) / 4
            self._text(x, top - 9 * mm, name, size=8, colour=SOFT)
            text = self._money(amount)
            room = (width - 6 * mm) / 4 - 3 * mm
            size = 12.0
            while size > 6 and pdfmetrics.stringWidth(text, SEMIBOLD, size) > room:
                size -= 0.5
            self._text(x, top - 16.5 * mm, text, font=SEMIBOLD, size=size)

    def _column_heads(self, y: float) -> None:
        self._text(DATE_X, y, "Date", size=8, colour=SOFT)
        self._text(TEXT_X, y, "Transaction", size=8, colour=SOFT)
        self._right(AMOUNT_X, y, f"Amount {self.statement.currency}", size=8, colour=SOFT)
        self._right(BALANCE_X, y, f"Balance {self.statement.currency}", size=8, colour=SOFT)
        self._rule(self.y + 1 * mm, colour=INK, width=0.8)

    def _make_room(self) -> None:
        if self.y - ROW < BOTTOM:
            self._end_page()
            self._begin_page()

    def _line(self, line: BookLine) -> None:
        if line.completed_at is None or line.balance_after is None:
            raise ValueError(f"line {line.id} isn't completed")
        at = line.completed_at.astimezone(self.statement.zone)
        upper, lower = self.y - 4.2 * mm, self.y - 8 * mm
        self._text(DATE_X, upper, format_date(at, "medium", locale=self.locale))
        self._text(DATE_X, lower, format_datetime(at, "HH:mm:ss", locale=self.locale), size=7.5, colour=SOFT)
        room = AMOUNT_X - TEXT_X - 30 * mm
        kind = line.type.replace("_", " ").capitalize()
        said = " · ".join(part for part in (line.description, line.reference) if part)
        self._text(TEXT_X, upper, self._fitting(said or kind, room, 9))
        self._text(TEXT_X, lower, kind if said else str(line.id), size=7.5, colour=SOFT)
        colour = CREDIT if line.amount > 0 else INK
        self._right(AMOUNT_X, upper, self._money(line.amount, with_sign=True), colour=colour)
        self._right(BALANCE_X, upper, self._money(line.balance_after))
        self.y -= ROW
        self._rule(self.y + 0.6 * mm)

    def _closing(self) -> None:
        figures = self.statement.figures
        middle = self.y - 6 * mm
        self._text(TEXT_X, middle, "Closing balance", font=SEMIBOLD)
        self._right(BALANCE_X, middle, self._money(figures.closing_balance), font=SEMIBOLD)
        self.y -= ROW

    def _end_page(self) -> None:
        self._rule(16 * mm)
        self._text(LEFT, 11 * mm, f"Wallet {self.statement.wallet_id}", size=7.5, colour=SOFT)
        self._right(RIGHT, 11 * mm, f"Page {self.page} of {self.pages}", size=7.5, colour=SOFT)
        self.canvas.showPage()

    def _money(self, amount: int, *, with_sign: bool = False) -> str:
        return money(amount, self.statement.currency, self.locale, with_sign=with_sign)

    def _fitting(self, text: str, room: float, size: float) -> str:
        """Put text on one line, with an ellipsis where it is too long for the room, in points."""
        line = " ".join(text.split())
        if pdfmetrics.stringWidth(line, REGULAR, size) <= room:
            return line
        while line and pdfmetrics.stringWidth(f"{line}…", REGULAR, size) > room:
            line = line[: -max(1, len(line) // 20)]
        return f"{line.rstrip()}…"
