-- Writes a record only where it is still the one that was read.
--
-- KEYS[1]  the record
-- ARGV[1]  SHA-1 of the record that was read, in hexadecimal
-- ARGV[2]  its length in bytes
-- ARGV[3]  seconds to live; 0: without an expiry; -1: delete it
-- ARGV[4]  the new record
--
-- Answers 1 when it was written, 0 when there is none, and the record as it is when it is another one.
--
-- On a replica every answer is an error: what it has may be old, and "there is none" would end a session that lives.
-- A replica refuses commands that write even where they change nothing, which is what the first two are for.
local record = redis.call('GET', KEYS[1])
if not record then
  redis.call('DEL', KEYS[1])
  return 0
end
if #record ~= tonumber(ARGV[2]) or redis.sha1hex(record) ~= ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[4], 'NX')
  return record
end
local seconds = tonumber(ARGV[3])
if seconds > 0 then
  redis.call('SET', KEYS[1], ARGV[4], 'EX', ARGV[3])
elseif seconds == 0 then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('DEL', KEYS[1])
end
return 1
