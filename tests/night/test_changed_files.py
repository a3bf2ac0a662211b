"""Somebody changes a file of the bundle while a gate waits, on a whole night."""

from pathlib import Path

import pytest

from tests.night.playing import assert_handed_over, fast_night, pass_gate, play_on, posts, shows, texts, told


@pytest.mark.all
async def test_a_changed_file_opens_no_gate_until_it_is_put_back(tmp_path: Path) -> None:
    """A hash replaced while the export gate waits reaches nobody, a digit changed while the users gate waits is not
    handed over: the gate names the file, and opens when it is as it was.
    """
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot("--once")
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        for gate, word, name, old, new in (
            ("export", "exported", "auth_users.json", b"$2a$", b"$2b$"),
            ("users", "users-mapped", "orders.json", b"2", b"3"),
        ):
            path = night.directory / name
            whole = path.read_bytes()
            assert old in whole
            path.write_bytes(whole.replace(old, new, 1))
            answer = await told(night, "ada", word)
            while answer[0] != "done":  # reasons are open
                reason = answer[1].split("`accept ", 1)[1].split("`", 1)[0]
                await told(night, "grace", f"@cutover accept {reason}")
                answer = await told(night, "ada", word)
            await shows(night, gate, "refused")
            assert any(f"{name} differs from the export" in text for text in texts(night, "cutover_finding"))
            refused = [p["check"] for p in posts(night, "cutover_finding") if p["status"] == "refused"]
            assert refused[-1] == "files-whole" or "files-whole" in refused
            assert gate != "export" or not night.stack.users
            path.write_bytes(whole)
            await pass_gate(night, gate)
            if gate == "export":
                await shows(night, "users", "waiting")
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
