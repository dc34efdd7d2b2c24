// Builds the site of this folder as `next build` does.
//
//   node build.mjs
//
// Prints {"code":0} when it has ended: the exit code of `next build`, whose own output goes to the standard error.

import { writeSync } from "node:fs";
import { createRequire } from "node:module";

process.env.NEXT_TELEMETRY_DISABLED = "1";
process.stdout.write = process.stderr.write.bind(process.stderr);
process.on("exit", (code) => writeSync(1, `${JSON.stringify({ code })}\n`));
// In this process, so that it ends with it.
process.argv.push("build");
createRequire(import.meta.url)("next/dist/bin/next");
