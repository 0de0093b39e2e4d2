"""What the operator is told of a failed run, how often, and that no channel can hold us up."""

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from alert_world import (
    SECRET,
    Answer,
    answers,
    drips,
    hangs,
    receiving,
    run,
    tell,
    tell_of,
)
from dagster._core.definitions.run_request import DagsterRunReaction

from lastfm_assets.automation import delivery
from lastfm_assets.automation.alert_message import MAX_MESSAGE, Alert
from lastfm_assets.automation.alerts import ALERTED, ALERTED_BY, tell_operator
from lastfm_assets.automation.delivery import Mail, post, send
from lastfm_assets.automation.outcome import FailedCheck, Failure, failure_of
from lastfm_assets.errors import BadInputError, GateRefusedError, UnavailableError
from lastfm_assets.settings import Settings

REFUSED = GateRefusedError("precision@10 of als is 0.2391, expected at least 0.9")
AGAIN = GateRefusedError("precision@10 of als is 0.2388, expected at least 0.9")
BROKEN = BadInputError("user_artists.dat line 7: 'many' plays, expected a whole number")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSES", (0.01, 0.01))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as remembers_nothing:
        yield remembers_nothing


Said = dg.SkipReason | DagsterRunReaction


def told(said: Said) -> bool:
    return isinstance(said, DagsterRunReaction)


def skipped(said: Said) -> str:
    assert isinstance(said, dg.SkipReason)
    return str(said.skip_message)


def an_alert(message: str = "it broke", *checks: FailedCheck) -> Alert:
    return Alert(
        job="refresh",
        run_id="1234",
        run_url="http://127.0.0.1:3000/runs/1234",
        failure=Failure(1, message, "gate", "c0ffee", checks),
        source="sample",
        at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC),
    )


class TestWhatIsSaid:
    def test_in_an_email(self) -> None:
        check = FailedCheck("best_model_reaches_min_precision", "evaluation/leaderboard", "p 0.2")
        alert = an_alert("the gate said no", check)
        assert alert.subject == "lastfm_assets: refresh refused by the gate"
        assert alert.text == (
            "the gate said no\n\n"
            "Check best_model_reaches_min_precision on evaluation/leaderboard did not pass: p 0.2"
            "\n\nSource: sample\nRun:    1234\nEnded:  2026-03-01T02:30:00+00:00\n"
            "Link:   http://127.0.0.1:3000/runs/1234\n\nWhat is published stays as it is.\n"
        )

    def test_to_a_webhook(self) -> None:
        said = an_alert("the gate said no", FailedCheck("rule", "models/als", "rows 3")).as_json()
        assert json.loads(json.dumps(said)) == {
            "text": "lastfm_assets: refresh refused by the gate\nthe gate said no\n"
            "What is published stays as it is. http://127.0.0.1:3000/runs/1234",
            "job": "refresh",
            "run_id": "1234",
            "run_url": "http://127.0.0.1:3000/runs/1234",
            "cause": "c0ffee",
            "message": "the gate said no",
            "failed_checks": [{"name": "rule", "asset": "models/als", "facts": "rows 3"}],
            "source": "sample",
            "at": "2026-03-01T02:30:00+00:00",
        }

    def test_wakes_nobody_by_a_name_in_the_data(self) -> None:
        text = an_alert("artist '<!channel> @all <http://evil|here>'").as_json()["text"]
        assert "<" not in text
        assert "@all" not in text

    def test_is_cut_where_it_is_endless(self) -> None:
        for endless in ("word " * 5000, "x" * 50_000):
            assert len(an_alert(endless).as_json()["message"]) <= MAX_MESSAGE


class TestTheCause:
    def test_is_the_same_whatever_the_figures(self, instance: dg.DagsterInstance) -> None:
        one, other = run(instance, REFUSED), run(instance, AGAIN)
        first, second = failure_of(one.all_events), failure_of(other.all_events)
        assert first.message == str(REFUSED)
        assert (first.reason, first.exit_code) == ("gate", 1)
        assert first.cause == second.cause

    def test_differs_by_step_and_by_kind(self, instance: dg.DagsterInstance) -> None:
        ran = [
            run(instance, REFUSED),
            run(instance, REFUSED, step="evaluation__champion"),
            run(instance, BROKEN),
            run(instance, RuntimeError("no memory")),
            run(instance, ValueError("no memory")),
        ]
        assert len({failure_of(one.all_events).cause for one in ran}) == len(ran)

    def test_of_the_unexpected_names_the_step(self, instance: dg.DagsterInstance) -> None:
        failure = failure_of(run(instance, RuntimeError("no\nmemory\x1b[2J left")).all_events)
        assert failure.message == "listening__raw_files: RuntimeError: no memory [2J left"
        assert (failure.reason, failure.exit_code) == ("error", 1)

    @pytest.mark.parametrize(("step", "reason"), [("gate", "gate"), ("check_lists", "check")])
    def test_of_a_check_is_the_check(
        self, step: str, reason: str, instance: dg.DagsterInstance
    ) -> None:
        def failed(rows: int) -> Failure:
            return failure_of(checked(instance, step, rows).all_events)

        assert failed(7).message == (
            "check holds on lists did not pass (rows 7); nothing is published, the last lists stay"
        )
        assert failed(7).failed_checks == (FailedCheck("holds", "lists", "rows 7"),)
        assert failed(7).reason == reason
        assert failed(7).cause == failed(8).cause


def checked(instance: dg.DagsterInstance, step: str, rows: int) -> dg.ExecuteInProcessResult:
    """A run of a job whose blocking check does not pass."""

    @dg.asset
    def lists() -> None:
        """Stands for what is checked."""

    @dg.multi_asset_check(
        name=step, specs=[dg.AssetCheckSpec("holds", asset="lists", blocking=True)]
    )
    def check() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(
            asset_key="lists", check_name="holds", passed=False, metadata={"rows": rows}
        )

    return dg.materialize([lists, check], instance=instance, raise_on_error=False)


class TestTheOperatorIsTold:
    def test_once_for_one_cause_however_often_it_fails(self, instance: dg.DagsterInstance) -> None:
        with receiving() as hook:
            first = run(instance, REFUSED)
            assert told(tell(instance, first, alert_webhook=hook.url))
            for _ in range(3):
                said = skipped(tell(instance, run(instance, AGAIN), alert_webhook=hook.url))
                assert f"run {first.run_id} was alerted" in said
        (posted,) = hook.posted
        assert posted["message"] == str(REFUSED)
        assert posted["run_url"] == f"http://127.0.0.1:3000/runs/{first.run_id}"
        assert posted["source"] is None

    def test_again_after_a_success(self, instance: dg.DagsterInstance) -> None:
        with receiving() as hook:
            tell(instance, run(instance, REFUSED), alert_webhook=hook.url)
            assert run(instance).success
            assert told(tell(instance, run(instance, AGAIN), alert_webhook=hook.url))
        assert len(hook.posted) == 2

    def test_again_for_another_cause(self, instance: dg.DagsterInstance) -> None:
        with receiving() as hook:
            for problem in (REFUSED, BROKEN, REFUSED):
                assert told(tell(instance, run(instance, problem), alert_webhook=hook.url))
        assert [one["message"] for one in hook.posted] == [str(REFUSED), str(BROKEN), str(REFUSED)]

    def test_of_each_job_by_itself(self, instance: dg.DagsterInstance) -> None:
        with receiving() as hook:
            tell(instance, run(instance, REFUSED), alert_webhook=hook.url)
            tell(instance, run(instance, REFUSED, job="tune"), alert_webhook=hook.url)
        assert [one["job"] for one in hook.posted] == ["refresh", "tune"]

    def test_of_runs_that_it_is_late_for_in_their_order(self, instance: dg.DagsterInstance) -> None:
        """After a night without the daemon, several are told of at once."""
        ran = [run(instance, problem) for problem in (REFUSED, AGAIN, BROKEN)]
        with receiving() as hook:
            said = [tell(instance, one, alert_webhook=hook.url) for one in ran]
        assert [told(one) for one in said] == [True, False, True]

    def test_of_a_run_that_never_started(self, instance: dg.DagsterInstance) -> None:
        created = run(instance)  # as a run to report on
        fresh = instance.get_run_by_id(created.run_id)
        assert fresh is not None
        failed = instance.report_run_failed(fresh, "Run timed out, it took longer than 300 seconds")
        with receiving() as hook:
            assert told(tell_of(instance, fresh, failed, alert_webhook=hook.url))
        assert hook.posted[0]["message"] == (
            "the run failed: Run timed out, it took longer than 300 seconds"
        )

    def test_with_the_link_of_the_server(self, instance: dg.DagsterInstance) -> None:
        ran = run(instance, REFUSED)
        with receiving() as hook:
            tell(instance, ran, alert_webhook=hook.url, ui_url="https://music.example.org/")
        assert hook.posted[0]["run_url"] == f"https://music.example.org/runs/{ran.run_id}"


class TestTheSensor:
    def test_takes_one_run_a_look_and_loses_none(self, instance: dg.DagsterInstance) -> None:
        """Several may fail between two looks: some to be told of, some not."""
        with receiving() as hook:
            cursor = looked(instance, hook.url, None)[1]
            for job, problem in (("refresh", REFUSED), ("other", BROKEN), ("refresh", AGAIN)):
                run(instance, problem, job=job)
            run(instance, BROKEN)
            acted = []
            for _ in range(5):
                some, cursor = looked(instance, hook.url, cursor)
                acted.append(some)
        assert acted == [1, 0, 0, 1, 0]
        assert [one["message"] for one in hook.posted] == [str(REFUSED), str(BROKEN)]


def looked(instance: dg.DagsterInstance, url: str, cursor: str | None) -> tuple[int, str | None]:
    """One look of the sensor, as the daemon has it: how many runs it acted on, and the cursor."""
    settings = Settings.model_validate({"alert_webhook": url})
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"settings": settings}
    )
    seen = tell_operator.evaluate_tick(context)
    return len(seen.dagster_run_reactions or ()), seen.cursor


class TestTheOperatorIsNotTold:
    def test_twice_of_one_run(self, instance: dg.DagsterInstance) -> None:
        """Where the server went away between the alert and the note that it was sent."""
        ran = run(instance, REFUSED)
        with receiving() as hook:
            assert told(tell(instance, ran, alert_webhook=hook.url))
            assert "already" in skipped(tell(instance, ran, alert_webhook=hook.url))
        assert len(hook.posted) == 1

    def test_where_nothing_is_set(self, instance: dg.DagsterInstance) -> None:
        assert "neither" in skipped(tell(instance, run(instance, REFUSED)))

    @pytest.mark.parametrize("job", ["__ASSET_JOB", "somebody_elses"])
    def test_of_a_job_that_is_not_watched(self, job: str, instance: dg.DagsterInstance) -> None:
        with receiving() as hook:
            said = skipped(tell(instance, run(instance, REFUSED, job=job), alert_webhook=hook.url))
        assert "not watched" in said
        assert hook.posted == []

    def test_of_a_run_that_is_tried_again(self, instance: dg.DagsterInstance) -> None:
        ran = run(instance, REFUSED)
        instance.add_run_tags(ran.run_id, {"dagster/will_retry": "true"})
        with receiving() as hook:
            assert "tried again" in skipped(tell(instance, ran, alert_webhook=hook.url))
        assert hook.posted == []


class TestAWebhook:
    @pytest.mark.parametrize(
        ("answer", "said", "tries"),
        [
            (answers(500), "answered 500", 3),
            (answers(429), "answered 429", 3),
            (answers(404), "answered 404; correct LASTFM_ALERT_WEBHOOK", 1),
            (answers(302, Location="/elsewhere"), "answered 302, a redirect, which is not", 1),
            (answers(307, Location="https://example.org/"), "answered 307, a redirect", 1),
        ],
    )
    def test_that_refuses_is_tried_again_where_it_may_help(
        self, answer: Answer, said: str, tries: int
    ) -> None:
        with (
            receiving(answer) as hook,
            pytest.raises((UnavailableError, BadInputError), match=said) as refused,
        ):
            post(hook.url, {})
        assert hook.asked == [f"/hooks/{SECRET}"] * tries  # and nowhere else
        assert SECRET not in str(refused.value)

    def test_that_takes_it_at_the_second_try_is_content(self) -> None:
        with receiving(answers(503), answers(204)) as hook:
            post(hook.url, {"text": "é"})
        assert hook.posted == [{"text": "é"}] * 2

    @pytest.mark.parametrize("answer", [hangs, drips])
    def test_that_never_answers_is_left(self, answer: Answer) -> None:
        started = time.monotonic()
        with (
            receiving(answer) as hook,
            pytest.raises(UnavailableError, match="did not answer") as left,
        ):
            post(hook.url, {}, seconds=1.0)
        assert time.monotonic() - started < 3
        assert SECRET not in str(left.value)

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (f"http://127.0.0.1:1/{SECRET}", "http://127.0.0.1:1: the connection was refused"),
            (f"https://nowhere.invalid/{SECRET}", "https://nowhere.invalid: no such host"),
            (f"https:///{SECRET}", "names no host"),
            (f"https://host:{SECRET}/", "cannot be read"),
            (f"http://user:{SECRET}@127.0.0.1:1/", "http://127.0.0.1:1: the connection was"),
            (f"https://host/{SECRET}@127.0.0.1:1/", "has an @ behind its host"),
            (f"https://host?{SECRET}@127.0.0.1:1/", "has an @ behind its host"),
        ],
    )
    def test_is_named_without_its_secret(self, url: str, said: str) -> None:
        with pytest.raises((UnavailableError, BadInputError), match=said) as problem:
            post(url, {})
        assert SECRET not in str(problem.value)


class TestOneChannelThatFails:
    def test_does_not_stop_the_other(
        self, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
    ) -> None:
        ran = run(instance, REFUSED)
        with receiving() as hook, caplog.at_level(logging.WARNING):
            smtp = f"smtp://user:{SECRET}@nowhere.invalid"
            given = {"alert_webhook": hook.url, "alert_email": "a@example.org", "smtp_url": smtp}
            assert told(tell(instance, ran, **given))
        assert len(hook.posted) == 1
        assert tags_of(instance, ran)[ALERTED_BY] == ran.run_id

    def test_and_the_other_too_leaves_the_run_unmarked(self, instance: dg.DagsterInstance) -> None:
        """So that the next night's failure tells again."""
        first, second = run(instance, REFUSED), run(instance, AGAIN)
        with receiving(answers(404), answers(200)) as hook:
            given = {"alert_webhook": hook.url, "alert_email": "a@example.org"}
            assert "no channel took" in skipped(tell(instance, first, **given))
            assert ALERTED not in tags_of(instance, first)
            assert told(tell(instance, second, **given))
        assert tags_of(instance, second)[ALERTED_BY] == second.run_id


def tags_of(instance: dg.DagsterInstance, ran: dg.ExecuteInProcessResult) -> dict[str, str]:
    fresh = instance.get_run_by_id(ran.run_id)
    assert fresh is not None
    return dict(fresh.tags)


class TestAnAddress:
    @pytest.mark.parametrize("address", ["nobody", "a@b\nBcc: c@d", "a@b, c@d", "<a@b>"])
    def test_that_is_none_is_refused(self, address: str) -> None:
        with pytest.raises(BadInputError, match="is not an e-mail address"):
            send("smtp://127.0.0.1:1", [address], Mail("subject", "text"))
