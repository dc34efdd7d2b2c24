// connect-redis, each version with the client that it was made for.

import { once } from "node:events";
import session from "express-session";

export const open = {
  async 6({ url, options }) {
    const { createClient } = (await import("redis-3")).default;
    const { default: connectRedis } = await import("connect-redis-6");
    const client = logErrors(createClient(url));
    await once(client, "ready");
    return new (connectRedis(session))({ client, ...options });
  },
  async 7({ url, options }) {
    const { createClient } = await import("redis-4");
    const { default: RedisStore } = await import("connect-redis-7");
    const client = await logErrors(createClient({ url })).connect();
    return new RedisStore({ client, ...options });
  },
  // Besides redis://, the URL of a cluster or of sentinels, as cloakroom has them: redis+cluster://host:port,host:port and
  // redis+sentinel://host:port,host:port/name.
  async 10({ url, options }) {
    const { RedisStore } = await import("connect-redis");
    const client = await logErrors(await clientOf(url)).connect();
    return new RedisStore({ client, ...options });
  },
};

async function clientOf(url) {
  const { createClient, createCluster, createSentinel } = await import("redis");
  const [, kind, hosts, name] = /^redis\+(cluster|sentinel):\/\/([^/?]+)(?:\/([^/?]+))?/.exec(url) ?? [];
  const nodes = hosts?.split(",").map((addr) => addr.split(":")).map(([host, port]) => ({ host, port: Number(port) }));
  if (kind === "cluster") return createCluster({ rootNodes: nodes.map((socket) => ({ socket })) });
  if (kind === "sentinel") return createSentinel({ name, sentinelRootNodes: nodes });
  return createClient({ url });
}

// Without a listener, an outage of the server would end this program.
function logErrors(client) {
  return client.on("error", (error) => console.error(String(error)));
}
