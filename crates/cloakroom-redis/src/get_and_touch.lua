-- Replaces GETEX on servers before Redis 6.2, which do not have it.
--
-- KEYS[1]  the record
-- ARGV[1]  seconds to live
--
-- A replica rejects write commands even if they would change nothing, so the answer there is an error, as with GETEX.
local record = redis.call('GET', KEYS[1])
if record then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
else
  redis.call('DEL', KEYS[1])
end
return record
