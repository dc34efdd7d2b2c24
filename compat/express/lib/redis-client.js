// Sends commands through the client of a connect-redis store, of whichever kind it is.

"use strict";

/** Whether it is a client of ioredis, or its Cluster. */
const isIoredis = (client) => typeof client.call === "function" && typeof client.evalsha === "function";

/** Whether it is a client, a cluster, a pool or a sentinel of node-redis 4 or later. */
const isNodeRedis = (client) => typeof client.sendCommand === "function" && typeof client.evalSha === "function";

/** Returns a function that sends a command on one key, or undefined if the client is of another kind. */
function senderOf(client) {
  if (isNodeRedis(client)) {
    // The three classes differ in the arguments before those of the command.
    switch (client.sendCommand.length) {
      case 4:
        return (key, command) => client.sendCommand(key, false, command); // A cluster.
      case 3:
        return (key, command) => client.sendCommand(false, command); // Sentinels.
      default:
        return (key, command) => client.sendCommand(command);
    }
  }
  return isIoredis(client) ? (key, [name, ...values]) => client.call(name, ...values) : undefined;
}

module.exports = { isIoredis, senderOf };
