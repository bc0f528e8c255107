"""Inter's advance widths, and a stranger's text made fit to be drawn on one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

FAMILY = "Inter"
MARGIN = 1.04
"""What is added to a measured width, for hinting and for another version of the face."""
_WIDE = 1000
_USUAL = 700
_MARKS = 3
"""Accents piled on one letter; more are left out, for they would climb into other rows."""
_FORMATS_KEPT = "\u200c\u200d"
"""The joiners: scripts and emoji need them, and they turn nothing around."""

# Advance widths in thousandths of an em by first code point of the run, from Inter 4.0, weights 400 and 600.
_REGULAR = {
    0x0020: (
        "281 278 403 631 638 812 639 222 362 362 500 659 280 460 276 357 625 464 605 636 642 608 624 571 616 "
        "624 276 280 659 659 659 507 936 676 651 727 719 598 587 743 740 264 543 652 562 889 753 761 635 761 "
        "639 638 642 741 676 949 642 665 625 362 357 362 469 452 497 564 621 558 621 582 361 609 591 237 237 "
        "544 237 869 585 597 609 609 372 523 364 581 557 812 540 557 541 362 327 362 659 "
    ),
    0x00A0: (
        "281 278 558 631 723 548 266 551 591 915 449 540 540 460 670 449 455 659 420 430 497 622 599 276 267 "
        "313 449 540 884 926 949 507 676 676 676 676 676 676 990 727 598 598 598 598 264 264 264 264 719 753 "
        "761 761 761 761 761 659 761 741 741 741 741 665 631 609 564 564 564 564 564 564 925 558 582 582 582 "
        "582 237 237 237 237 580 585 597 597 597 597 597 659 597 581 581 581 581 557 609 557 676 564 676 564 "
        "676 564 727 558 727 558 727 558 727 558 719 677 719 621 598 582 598 582 598 582 598 582 598 582 743 "
        "609 743 609 743 609 743 609 740 591 777 591 443 278 264 237 264 237 264 237 264 237 807 474 543 237 "
        "652 544 631 562 237 562 237 562 305 562 315 562 237 753 585 753 585 753 585 600 753 585 761 597 761 "
        "597 761 597 953 990 639 372 639 372 639 372 638 523 638 523 638 523 638 523 642 364 642 364 642 364 "
        "741 581 741 581 741 581 741 581 741 581 741 581 949 812 665 557 665 625 541 625 541 625 541 267 "
    ),
    0x0386: (
        "676 276 690 862 304 600 781 600 817 764 266 676 651 575 676 598 625 740 761 264 652 676 889 753 540 "
        "761 722 635 600 631 642 665 750 642 778 761 264 665 641 544 585 266 585 641 592 534 540 544 523 585 "
        "540 266 631 585 622 580 540 597 631 571 538 631 472 585 732 599 747 811 266 585 597 585 811 "
    ),
    0x0400: (
        "598 598 808 575 665 638 264 264 543 1082 1129 901 652 753 624 719 676 659 651 575 751 598 949 636 "
        "753 753 646 713 889 740 761 722 635 727 642 624 791 642 751 714 952 980 812 849 653 670 1011 670 564 "
        "589 561 459 624 582 827 494 597 597 537 589 750 582 597 582 609 558 534 557 680 540 635 574 817 866 "
        "655 750 554 541 812 561 582 582 591 459 540 523 237 237 237 923 899 591 537 597 557 582 "
    ),
}
_SEMIBOLD = {
    0x0020: (
        "248 309 396 643 649 844 663 213 393 393 543 673 295 466 290 379 667 481 621 652 666 632 648 587 646 "
        "648 290 295 673 673 673 544 999 724 657 744 724 608 586 755 744 275 561 677 566 906 741 775 643 776 "
        "651 649 660 734 724 1007 690 705 653 393 379 393 481 468 497 575 630 577 630 593 377 625 613 261 261 "
        "569 261 898 610 608 625 625 397 549 380 608 576 837 562 576 562 393 358 393 673 "
    ),
    0x00A0: (
        "248 309 577 658 751 564 319 579 553 915 474 597 566 466 666 526 458 673 423 438 497 652 606 290 339 "
        "318 473 599 881 919 960 544 724 724 724 724 724 724 1017 744 608 608 608 608 275 275 275 275 724 741 "
        "775 775 775 775 775 673 775 734 734 734 734 705 657 646 575 575 575 575 575 575 917 577 593 593 593 "
        "593 261 261 261 261 593 610 608 608 608 608 608 673 608 608 608 608 608 576 612 576 724 575 724 575 "
        "724 575 744 577 744 577 744 577 744 577 724 716 724 630 608 593 608 593 608 593 608 593 608 593 755 "
        "625 755 625 755 625 755 625 744 613 799 613 448 285 275 261 275 261 275 266 275 261 836 521 561 261 "
        "677 569 657 566 261 566 261 566 352 574 380 578 261 741 610 741 610 741 610 600 741 616 775 608 775 "
        "608 775 608 996 981 651 397 651 397 651 397 649 549 649 549 649 549 649 549 660 380 660 404 660 380 "
        "734 608 734 608 734 608 734 608 734 608 734 608 1007 837 705 576 705 653 562 653 562 653 562 282 "
    ),
    0x0386: (
        "724 290 754 907 359 600 797 600 917 802 303 724 657 579 724 608 653 744 775 275 677 724 906 741 616 "
        "775 751 643 600 658 660 705 816 690 811 773 275 705 648 562 610 303 587 648 604 543 616 562 543 610 "
        "617 303 657 600 652 616 563 608 707 585 563 657 531 587 806 610 785 894 303 587 608 587 894 "
    ),
    0x0400: (
        "608 608 837 579 686 649 275 275 561 1112 1124 908 677 741 656 724 724 654 657 579 776 608 1040 652 "
        "741 741 687 724 906 744 775 751 643 744 660 656 839 690 780 748 1016 1037 819 879 669 690 1042 680 "
        "575 606 571 463 655 593 861 516 606 606 569 600 762 589 608 593 625 577 550 576 756 562 650 585 844 "
        "920 688 795 577 549 825 572 593 593 614 463 566 549 261 261 261 942 912 613 569 606 576 593 "
    ),
}
_MORE = {
    0x2013: 500, 0x2014: 1000, 0x2018: 228, 0x2019: 214, 0x201C: 408, 0x201D: 407, 0x2026: 821, 0x2022: 562,
    0x2009: 182, 0x202F: 182, 0x200C: 0, 0x200D: 0, 0x20AC: 679, 0x2190: 955, 0x2192: 955, 0x2212: 673,
    0x2248: 673, 0x2260: 673, 0x2264: 673, 0x2265: 673, 0x25A0: 915, 0x25B2: 1035, 0x25C6: 1058, 0x25CB: 915,
    0x25CF: 915,
}  # fmt: skip


class FontsError(Exception):
    """The face of our drawings is not there."""


def _table(runs: dict[int, str]) -> dict[str, int]:
    table = {chr(point): width for point, width in _MORE.items()}
    for first, widths in runs.items():
        table.update((chr(first + step), int(width)) for step, width in enumerate(widths.split()))
    return table


_TABLES = {400: _table(_REGULAR), 600: _table(_SEMIBOLD)}


@lru_cache(maxsize=16384)
def width(text: str, size: float = 11, weight: int = 400) -> float:
    """The room that `text` takes in Inter, in the unit of `size`, with `MARGIN` added; weights from 500 on are 600."""
    table = _TABLES[600 if weight >= 500 else 400]
    total = 0
    for character in text:
        known = table.get(character)
        total += _guess(character) if known is None else known
    return total * size * MARGIN / 1000


def _guess(character: str) -> int:
    category = unicodedata.category(character)
    if category in {"Mn", "Me"}:
        return 0
    if category == "So" or unicodedata.east_asian_width(character) in "WF":
        return _WIDE + 300
    return _WIDE if category in {"Lo", "Mc"} else _USUAL + 200


def clean(text: str, limit: int = 60) -> str:
    """A stranger's text on one line: no control or direction character, cut with … at `limit` characters."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(_drawable_characters(text[: limit * 8]))
    words = " ".join(text.split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def _drawable_characters(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            yield _drawable(character)


def _drawable(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    if category == "Zs":
        return character if character in "\u00a0\u2009\u202f" else " "
    if category in {"Cs", "Co"} or (category == "Cf" and character not in _FORMATS_KEPT):
        return ""
    return "" if ord(character) & 0xFFFE == 0xFFFE else character


def longest(variants: Sequence[str], room: float, size: float = 11, weight: int = 400) -> str:
    """The first of the variants that fits into `room`; else the last one cut with …; nothing when not even that."""
    for variant in variants:
        if width(variant, size, weight) <= room:
            return variant
    return cut(variants[-1], room, size, weight) if variants else ""


def cut(text: str, room: float, size: float = 11, weight: int = 400) -> str:
    """`text` shortened to `room` with …, or nothing when fewer than six characters would be left."""
    if width(text, size, weight) <= room:
        return text
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if width(text[:middle].rstrip() + "…", size, weight) <= room:
            least = middle
        else:
            most = middle - 1
    return text[:least].rstrip() + "…" if least >= 6 else ""


def wrap(text: str, room: float, lines: int, size: float = 11, weight: int = 400) -> list[str]:
    """`text` broken at spaces into at most `lines` lines of at most `room`; the last one is cut when more is left."""
    broken: list[str] = []
    words = text.split()
    while words and len(broken) < lines:
        count = 1
        while count < len(words) and width(" ".join(words[: count + 1]), size, weight) <= room:
            count += 1
        if len(broken) == lines - 1:
            count = len(words)
        line = cut(" ".join(words[:count]), room, size, weight)
        if line:
            broken.append(line)
        words = words[count:]
    return broken
