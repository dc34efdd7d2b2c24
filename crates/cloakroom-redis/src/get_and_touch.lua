-- GETEX for servers that have none, before Redis 6.2.
--
-- KEYS[1]  the record
-- ARGV[1]  seconds to live
--
-- A replica refuses commands that write even where they change nothing: on one, the answer is an error, as GETEX's.
local record = redis.call('GET', KEYS[1])
if record then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
else
  redis.call('DEL', KEYS[1])
end
return record
