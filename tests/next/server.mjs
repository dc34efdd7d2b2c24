// Serves the site of this folder, which `build.mjs` has built.
//
//   node server.mjs
//
// Prints {"port":3001} when it listens on that port of 127.0.0.1. NEXTAUTH_URL has the origin under which browsers reach
// the site; NEXTAUTH_SECRET, AUTH_SECRET and IRON_PASSWORD have its secrets. With DATABASE_URL, a PostgreSQL with the
// tables of @auth/pg-adapter, its two logins keep their sessions there.

import { writeSync } from "node:fs";
import { createServer } from "node:http";

process.env.NEXT_TELEMETRY_DISABLED = "1";
process.env.NODE_ENV = "production";
// What Next.js prints is for the log.
process.stdout.write = process.stderr.write.bind(process.stderr);
// After the environment, which it reads.
const { default: next } = await import("next");

const site = next({ dev: false, dir: import.meta.dirname });
await site.prepare();
const server = createServer(site.getRequestHandler());
server.listen(0, "127.0.0.1", () => writeSync(1, `${JSON.stringify({ port: server.address().port })}\n`));
