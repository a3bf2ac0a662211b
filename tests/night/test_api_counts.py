"""Tables that the API may not read, and an API that may read nothing any more, on a whole night."""

import re
from pathlib import Path

import pytest

from tests.night.playing import (
    as_platform,
    assert_handed_over,
    fast_night,
    journal,
    pass_gate,
    play_on,
    posts,
    shows,
    texts,
    told,
)


@pytest.mark.all
async def test_counts_that_the_api_does_not_give_are_made_by_sql_or_let_pass_by_name(tmp_path: Path) -> None:
    """One table without a grant is no more than a sentence. All of them, taken away under the freeze, refuse the export
    gate until two approvers let that pass.
    """
    async with fast_night(tmp_path / "night") as night:
        with as_platform(night) as platform:
            platform.execute("REVOKE ALL ON public.orders FROM service_role, anon, authenticated")
        await night.start_bot("--once")
        await shows(night, "freeze", "waiting")
        assert journal(night)[0]["api_counts"] is True
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        with as_platform(night) as platform:
            platform.execute("SET default_transaction_read_only = off")
            platform.execute("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM service_role")

        await told(night, "ada", "exported")
        await shows(night, "export", "refused")
        findings = "\n".join(texts(night, "cutover_finding"))
        assert "The API gives no counts, although it did when this run was opened" in findings
        assert "wrong key" not in findings and "service-role key" not in findings
        failing = [p["check"] for p in posts(night, "cutover_finding") if p["status"] == "refused"]
        assert failing == ["counts-by-api"]
        for who in ("ada", "grace"):
            assert (await told(night, who, "@cutover accept counts-by-api: SQL has counted all"))[0] == "done"
        await told(night, "ada", "exported")
        await shows(night, "export", "passed")
        code = await play_on(night)

        await assert_handed_over(night, code, users=120)
        by_sql = [text for text in texts(night, "cutover_finding") if "the counts by SQL match the export" in text]
        assert re.search(r"GRANT SELECT ON TABLE public\.\w+ TO service_role;", by_sql[0])
