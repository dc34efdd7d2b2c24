-- Notes a session in the list of its user: a sorted set of ids by the time of their last write or visit.
--
-- KEYS[1]  the list
-- ARGV[1]  the id of the session
-- ARGV[2]  milliseconds that the session lives; 0: without an expiry
--
-- The empty text is the id of no session. Its score is the longest time to live in the list, as a negative number.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lives = tonumber(ARGV[2])
local ends = lives > 0
if not ends then
  lives = 9e15
end
local left = redis.call('PTTL', KEYS[1])
local longest = -(redis.call('ZSCORE', KEYS[1], '') or 0)
redis.call('ZADD', KEYS[1], now, ARGV[1])
if lives > longest then
  longest = lives
  redis.call('ZADD', KEYS[1], string.format('%.0f', -lives), '')
end
if not ends then
  redis.call('PERSIST', KEYS[1])
elseif left ~= -1 and left < lives + 3600000 then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lives + 3600000))
end
-- These have ended, unless Node.js extends them. Both hours are for a command that writes the session later than this,
-- and for servers whose clocks differ.
if longest < now then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '(0', now - longest - 3600000)
end
return 1
