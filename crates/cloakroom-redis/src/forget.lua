-- Removes sessions that have ended from the list of their user.
--
-- KEYS[1]  the list
-- ARGV     the ids of sessions that did not exist when they were looked for
--
-- A session that was noted within the last hour stays: the command that writes it can still be on its way. A later note
-- brings the id back.
local time = redis.call('TIME')
local before = time[1] * 1000 - 3600000
for _, id in ipairs(ARGV) do
  local noted = redis.call('ZSCORE', KEYS[1], id)
  if noted and tonumber(noted) < before then
    redis.call('ZREM', KEYS[1], id)
  end
end
return 1
