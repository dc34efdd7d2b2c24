-- GETEX for servers that have none, before Redis 6.2.
--
-- KEYS[1]  the record
-- ARGV[1]  seconds to live
local record = redis.call('GET', KEYS[1])
if record then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return record
