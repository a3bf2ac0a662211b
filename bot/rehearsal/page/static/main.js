import { bot } from "./bot.js";
import { channel } from "./channel.js";
import { compose } from "./compose.js";
import { faults } from "./faults.js";
import { night } from "./night.js";
import { notice } from "./notice.js";
import { supabase } from "./supabase.js";
import { tabs } from "./tabs.js";
import { users } from "./users.js";
import { connect } from "./wire.js";

for (const begin of [tabs, channel, compose, supabase, notice, users, faults, bot, night]) begin();
connect();
