// The types for `require`, checked by the compiler and never run.

import safely = require("@cloakroom/express-session-safe");

declare class RedisStore {
  readonly prefix: string;
  get(sid: string, callback?: (error: unknown, session?: object | null) => void): Promise<void>;
  set(sid: string, session: object, callback?: (error?: unknown) => void): Promise<void>;
  destroy(sid: string, callback?: (error?: unknown) => void): Promise<void>;
}

const store: RedisStore = safely.safe(new RedisStore());
store.prefix satisfies string;
