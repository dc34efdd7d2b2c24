// The types for `import`, checked by the compiler and never run.

import { safe, type SafeErrorCode, type SafeOptions } from "@cloakroom/express-session-safe";

declare class RedisStore {
  readonly prefix: string;
  get(sid: string, callback?: (error: unknown, session?: object | null) => void): Promise<void>;
  set(sid: string, session: object, callback?: (error?: unknown) => void): Promise<void>;
  destroy(sid: string, callback?: (error?: unknown) => void): Promise<void>;
}

const options: SafeOptions = { client: {}, deadline: 10_000 };
const store: RedisStore = safe(new RedisStore(), options);
store.prefix satisfies string;
"ESESSIONCONFLICT" satisfies SafeErrorCode;

// @ts-expect-error It is not a store.
safe({});
// @ts-expect-error The option does not exist.
safe(store, { retries: 3 });
// @ts-expect-error Milliseconds are a number.
safe(store, { deadline: "5s" });
