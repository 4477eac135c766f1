"""QR codes as shapes for an SVG that stands in the page: no image is fetched, and no style is inline."""

from dataclasses import dataclass

from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

QUIET_ZONE = 4  # modules on each side, ISO/IEC 18004, section 9.1


@dataclass(frozen=True, slots=True)
class QrDrawing:
    """`size` is the width and height in modules, quiet zone included; `path` is the `d` of all dark ones."""

    size: int
    path: str


def qr_drawing(text: str) -> QrDrawing:
    """Draw a text as the smallest QR code that holds it, with medium error correction."""
    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    count = code.getModuleCount()
    dark = [
        f"M{column + QUIET_ZONE} {row + QUIET_ZONE}h1v1h-1z"
        for row in range(count)
        for column in range(count)
        if code.isDark(row, column)
    ]
    return QrDrawing(count + 2 * QUIET_ZONE, "".join(dark))
