"""The Slack stand-in, driven by Slack's own packages for Node: `CUTOVER_SLACK_JS` names a directory where they are
installed (`npm install @slack/web-api @slack/socket-mode`).
"""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from bot.rehearsal.standins.slack import Person, SlackStandin

NODE_PROJECT = "CUTOVER_SLACK_JS"
LONGEST_SECONDS = 60
WALK = """
import { WebClient } from "@slack/web-api";
import { SocketModeClient } from "@slack/socket-mode";
const [slackApiUrl, botToken, appToken, channel] = process.argv.slice(1);
const web = new WebClient(botToken, { slackApiUrl, retryConfig: { retries: 0 } });
const socket = new SocketModeClient({ appToken, clientOptions: { slackApiUrl } });
const refusal = async (call) => { try { await call; return "ok"; } catch (error) { return error.data.error; } };
const told = {};
const all = new Promise((resolve) => {
  const keep = (name, value) => { told[name] = value; if (Object.keys(told).length === 3) resolve(); };
  socket.on("message", async ({ event, ack }) => {
    await ack();
    if (event.user === "U0ADA") keep("message", [event.text, event.thread_ts ?? ""]);
  });
  socket.on("interactive", async ({ body, ack }) => {
    await ack();
    keep("press", [body.user.id, body.actions[0].action_id, body.actions[0].value, body.container.message_ts]);
  });
  socket.on("slash_commands", async ({ body, ack }) => {
    await ack({ text: `heard ${body.text}` });
    keep("command", [body.command, body.text, body.channel_id]);
  });
});
await socket.start();
const who = await web.auth.test();
const button = {
  type: "button", action_id: "go", value: "v1", text: { type: "plain_text", text: "Go" },
  confirm: {
    title: { type: "plain_text", text: "Sure?" }, text: { type: "plain_text", text: "It goes." },
    confirm: { type: "plain_text", text: "Go" }, deny: { type: "plain_text", text: "Not yet" },
  },
};
const metadata = { event_type: "walk", event_payload: { key: "k1" } };
const posted = await web.chat.postMessage({
  channel, text: "ready", metadata, blocks: [{ type: "actions", elements: [button] }],
});
await all;
await web.chat.update({ channel, ts: posted.ts, text: "done" });
const history = await web.conversations.history({ channel, include_all_metadata: true });
console.log(JSON.stringify({
  ...told, ts: posted.ts, bot: who.user_id,
  history: history.messages.map((message) => [message.text, message.metadata?.event_payload?.key ?? ""]),
  members: (await web.usergroups.users.list({ usergroup: "S0OPS" })).users,
  unknownGroup: await refusal(web.usergroups.users.list({ usergroup: "S0NONE" })),
  unknownChannel: await refusal(web.chat.postMessage({ channel: "C0NONE", text: "x" })),
  unknownArgument: await refusal(web.apiCall("auth.test", { nonsense: "1" })),
  tooLong: await refusal(web.chat.update({ channel, ts: posted.ts, text: "x".repeat(4001) })),
  wrongToken: await refusal(new WebClient("xoxb-no", { slackApiUrl, retryConfig: { retries: 0 } }).auth.test()),
}));
await socket.disconnect();
process.exit(0);
"""


@pytest.fixture
def node_project() -> Path:
    where = os.environ.get(NODE_PROJECT)
    if where is None or shutil.which("node") is None or not (Path(where) / "node_modules/@slack/web-api").is_dir():
        pytest.skip(f"{NODE_PROJECT} names no directory with Slack's packages for Node")
    return Path(where)


async def test_slacks_packages_for_node_are_served(node_project: Path) -> None:
    """They connect, hear a message, a button and a slash command, post, edit and read, and are refused by name."""
    slack = SlackStandin(people=[Person("U0ADA", "Ada")], groups={"S0OPS": ["U0ADA"]})
    await slack.start()
    arguments = (slack.api_url, slack.bot_token, slack.app_token, slack.channel.id)
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        *("node", "--input-type=module", "--eval", WALK, "--", *arguments),
        cwd=node_project,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ending = asyncio.create_task(process.communicate())
    try:
        ready = await slack.wait_for(lambda message: message.text == "ready", LONGEST_SECONDS)
        reply = slack.say("U0ADA", "frozen", ready.ts)
        slack.press("U0ADA", ready.ts, "go")
        command = slack.command("U0ADA", "status")
        out, err = await asyncio.wait_for(ending, LONGEST_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await slack.stop()
    assert process.returncode == 0, err.decode()
    told = json.loads(out.decode().splitlines()[-1])
    assert told["message"] == ["frozen", ready.ts]
    assert told["press"] == ["U0ADA", "go", "v1", ready.ts]
    assert told["command"] == ["/cutover", "status", slack.channel.id]
    assert command.response == {"text": "heard status"}
    assert (told["ts"], told["bot"]) == (ready.ts, slack.bot_user_id)
    assert told["history"] == [["done", "k1"]]
    assert told["members"] == ["U0ADA"]
    refusals = ("unknownGroup", "unknownChannel", "unknownArgument", "tooLong", "wrongToken")
    assert [told[name] for name in refusals] == [
        "no_such_subteam",
        "channel_not_found",
        "invalid_arguments",
        "msg_too_long",
        "invalid_auth",
    ]
    assert slack.message(reply).thread_ts == ready.ts
    assert all(delivery.acked and delivery.attempts == 1 for delivery in slack.deliveries)
