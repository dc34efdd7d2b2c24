// The script with which the Rust store updates a record, `update.lua` of cloakroom-redis, byte for byte: a server that
// has it from one of them knows it for the other. A test compares the two.

"use strict";

const { createHash } = require("node:crypto");

const UPDATE = `-- Writes a record only if it is still the one that was read.
--
-- KEYS[1]  the record
-- ARGV[1]  the record that was read
-- ARGV[2]  seconds to live; 0: without an expiry; -1: delete the record
-- ARGV[3]  the new record
--
-- Returns 1 if the record was written, 0 if it does not exist, and the current record if it has changed.
--
-- It compares the records themselves. To compute a digest costs the server as much as to take in the record that was
-- read, and the store would have to compute one too. Large records come here only if own/watch.rs cannot write them.
--
-- On a replica every answer must be an error: its data may be old, and "does not exist" would end a live session. A
-- replica rejects write commands even if they would change nothing; the writes in the first two branches serve that.
local record = redis.call('GET', KEYS[1])
if not record then
  redis.call('DEL', KEYS[1])
  return 0
end
if record ~= ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[3], 'NX')
  return record
end
if ARGV[2] == '-1' then
  redis.call('DEL', KEYS[1])
elseif ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[2])
end
return 1
`;

const DIGEST = createHash("sha1").update(UPDATE).digest("hex");

module.exports = { DIGEST, UPDATE };
