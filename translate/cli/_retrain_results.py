"""What `retrain` and `schedule` say of a retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translate.cli import console

if TYPE_CHECKING:
    from translate.retraining.retrain import Outcome


def show(outcome: Outcome, *, as_json: bool, **more: Any) -> None:  # noqa: ANN401 - values of JSON
    """An outcome on stdout; ``more`` goes into its line of JSON."""
    if as_json:
        due = outcome.due
        console.result_json({
            "event": "retraining",
            "state": outcome.state,
            "retraining": outcome.retraining,
            "due": due and {"due": due.due, "words": due.words, "next_at": due.next_at and due.next_at.isoformat()},
            "words": outcome.words,
            "page": outcome.page_url,
            **more,
        })
        return
    for words in outcome.words:
        console.result(f"nothing due: {words}" if outcome.state == "not_due" else words)
    if outcome.state == "kept":
        console.result("Not promoted.")
    if outcome.page_url is not None:
        console.result(f"page: {outcome.page_url}")
