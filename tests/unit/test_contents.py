"""What the report shows, and under which headings."""

from csnn.report.contents import Item, numbered

ITEMS = [
    Item("Responses", "Logits", {"paper"}, "One image."),
    Item("Results", "The gap", {"gap"}, "Points."),
    Item("Activity and cost", "Rates", {"activity"}, "In Hz."),
    Item("Provenance", "Versions", {"paper", "gap", "activity"}, "Of packages."),
]


def test_an_item_is_shown_where_one_of_its_analyses_is_asked_for():
    assert [item.title for item in ITEMS if item.requested(["gap", "claims"])] == ["The gap", "Versions"]


def test_headings_that_hold_something_are_numbered_in_the_order_in_which_one_asks():
    analyses = ["paper", "activity"]
    shown = [numbered(item.heading, ITEMS, analyses) for item in ITEMS if item.requested(analyses)]
    assert shown == ["1 Responses", "2 Activity and cost", "3 Provenance"]
    assert numbered("Results", ITEMS, ["gap"]) == "1 Results"
    assert numbered("Provenance", ITEMS, ["gap"]) == "2 Provenance"
