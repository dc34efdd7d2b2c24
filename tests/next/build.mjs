// Builds the site of this folder as `next build` does.
//
//   node build.mjs
//
// Prints {"building":true} at once and then every 30 seconds, for 20 minutes, and {"code":0} when it has ended: the exit
// code of `next build`, whose own output goes to the standard error.

import { writeSync } from "node:fs";
import { createRequire } from "node:module";

const print = (value) => writeSync(1, `${JSON.stringify(value)}\n`);

process.env.NEXT_TELEMETRY_DISABLED = "1";
process.stdout.write = process.stderr.write.bind(process.stderr);
process.on("exit", (code) => print({ code }));
print({ building: true });
const beat = setInterval(() => print({ building: true }), 30_000);
setTimeout(() => clearInterval(beat), 20 * 60_000);
// In this process, so that it ends with it.
process.argv.push("build");
createRequire(import.meta.url)("next/dist/bin/next");
