// What the servers share: express-session on connect-redis, and how a server begins and ends. With SAFE, the store is
// made safe by the npm package in compat/express.
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { safe } from '../../../compat/express/index.mjs';

export const HELLO = 'views 1';

export async function sessions() {
  const client = createClient({ url: process.env.REDIS });
  client.on('error', (error) => console.error(error));
  await client.connect();
  const store = new RedisStore({ client });
  return session({
    store: process.env.SAFE ? safe(store) : store,
    secret: 'keyboard cat',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 3_600_000 },
  });
}

// Says on which port the server listens, and ends with the process that started it.
export function started(server) {
  console.log(server.address().port);
  process.stdin.on('end', () => process.exit(0)).resume();
}
