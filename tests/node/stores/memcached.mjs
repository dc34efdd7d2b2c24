// connect-memcached, with npm's memcached.

import session from "express-session";

export const open = {
  // The url names the servers: memcached://127.0.0.1:1,127.0.0.1:2. The option `hosts` wins, for servers with weights.
  async 3({ url, options }) {
    const { default: connectMemcached } = await import("connect-memcached");
    const hosts = url.replace(/^memcached:\/\//, "").split(",");
    return new (connectMemcached(session))({ hosts, ...options });
  },
};
