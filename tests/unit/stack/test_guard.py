"""The list of the guard: who is still alive when the supervisor dies."""

from __future__ import annotations

from stack.guard import watch


def test_those_who_started_and_did_not_end_are_listed() -> None:
    assert watch(["+10 9\n", "+11 3\n", "+12 9\n", "-10\n"]) == {11: 3, 12: 9}


def test_a_number_that_is_used_again_counts_anew() -> None:
    assert watch(["+10 9\n", "-10\n", "+10 3\n"]) == {10: 3}


def test_a_line_cut_by_the_death_of_its_writer_does_no_harm() -> None:
    assert watch(["+10 9\n", "+1"]) == {10: 9}
    assert watch(["+10 9\n", "-"]) == {10: 9}


def test_an_unknown_end_is_ignored() -> None:
    assert watch(["-99\n"]) == {}
