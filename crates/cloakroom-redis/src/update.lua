-- Writes a record only if it is still the one that was read.
--
-- KEYS[1]  the record
-- ARGV[1]  SHA-1 of the record that was read, in hexadecimal
-- ARGV[2]  its length in bytes
-- ARGV[3]  seconds to live; 0: without an expiry; -1: delete the record
-- ARGV[4]  the new record
--
-- Returns 1 if the record was written, 0 if it does not exist, and the current record if it has changed.
--
-- On a replica every answer must be an error: its data may be old, and "does not exist" would end a live session. A
-- replica rejects write commands even if they would change nothing; the writes in the first two branches serve that.
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
