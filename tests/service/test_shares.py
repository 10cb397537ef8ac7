"""Shares: one caller alone may have most of it, and never all of it while others come."""

from service.shares import OverShareError, Shares


def fill(shares, caller, total, others=0):
    """How much a caller gets, one at a time, of what others left."""
    held = 0
    while held + others < total:
        try:
            shares.check(caller, 1, total - others - held)
        except OverShareError:
            break
        shares.add(caller, 1)
        held += 1
    return held


def test_one_caller_alone_gets_four_fifths():
    assert fill(Shares(), "a", 100) == 80


def test_the_second_and_the_third_find_something_too():
    shares = Shares()
    first = fill(shares, "a", 100)
    second = fill(shares, "b", 100, first)
    third = fill(shares, "c", 100, first + second)
    assert (first, second, third) == (80, 16, 3)


def test_who_holds_nothing_may_always_ask_and_who_has_no_name_too():
    shares = Shares()
    shares.check("a", 1000, 10)
    shares.add("", 500)
    shares.check("", 500, 10)


def test_what_is_given_back_is_forgotten():
    shares = Shares()
    shares.add("a", 5)
    shares.remove("a", 2)
    shares.remove("a", 3)
    assert shares._held == {}
