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
  async 10({ url, options }) {
    const { createClient } = await import("redis");
    const { RedisStore } = await import("connect-redis");
    const client = await logErrors(createClient({ url })).connect();
    return new RedisStore({ client, ...options });
  },
};

// Without a listener, an outage of the server would end this program.
function logErrors(client) {
  return client.on("error", (error) => console.error(String(error)));
}
