/** What `safe` accepts besides the store. */
export interface SafeOptions {
  /**
   * The client that the store was made with. connect-redis 7 and 8 need it, because they do not keep it: a client or a
   * cluster of redis 4, or of ioredis.
   */
  client?: object;
  /**
   * For how many milliseconds a write is tried again that meets the writes of other processes. Then it is an error with
   * the code `ESESSIONCONFLICT`. The default is 5000.
   */
  deadline?: number;
}

/** The methods of express-session's `Store` that `safe` relies on. */
export interface SessionStore {
  get: (...values: any[]) => any;
  set: (...values: any[]) => any;
  destroy: (...values: any[]) => any;
}

/** The codes of the errors that a safe store adds to those of the store itself. */
export type SafeErrorCode =
  /** Other processes changed the session before each of the tries. */
  | "ESESSIONCONFLICT"
  /** The session was not loaded from the store, and its id is in use. */
  | "ESESSIONEXISTS";

/**
 * Keeps express-session from losing writes: changes the store, and returns it.
 *
 * A request then writes only the members of the session that it has changed, on top of what is stored by then, and
 * writes nothing if the session was destroyed in the meantime. The store emits `discarded`, with the id, if it was.
 *
 * @throws TypeError if the store, its client or an option is not supported; the message says what is.
 */
export function safe<S extends SessionStore>(store: S, options?: SafeOptions): S;
