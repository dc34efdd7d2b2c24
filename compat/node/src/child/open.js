// Finds the package and makes the store.

class Failure {
  constructor(why, ...texts) {
    this.parts = [Buffer.from([why]), ...texts.map((one) => (Buffer.isBuffer(one) ? one : text(one)))];
  }
}

async function load(name) {
  const from = isAbsolute(name) ? pathToFileURL(name).href : name;
  try {
    return await import(from);
  } catch (error) {
    if (error && error.code === "ERR_PACKAGE_PATH_NOT_EXPORTED") return require(name);
    if (error && /^(ERR_)?MODULE_NOT_FOUND$/.test(error.code)) {
      const found = /^Cannot find (?:package|module) '([^']*)'/.exec(error.message);
      throw new Failure(NO_PACKAGE, found ? found[1] : name);
    }
    throw error;
  }
}

// What a factory such as `require("connect-memcached")` is called with.
async function expressSession() {
  try {
    return (await load("express-session")).default;
  } catch (_) {
    const session = () => {};
    function Store() {
      EventEmitter.call(this);
    }
    Store.prototype = Object.create(EventEmitter.prototype);
    return Object.assign(session, { Store, Cookie });
  }
}

const isFunction = (value) => typeof value === "function";
const isStore = (value) => value && typeof value === "object" && isFunction(value.get) && isFunction(value.set);
// The methods of a class can be fields, which only its instances have.
const hasClassSyntax = (value) => /^class\b/.test(Function.prototype.toString.call(value));
const isClass = (value) => isFunction(value) && (isStore(value.prototype) || hasClassSyntax(value));

// The export that is named; else the only one whose name ends in `Store`; else the default one.
function pick(module, name) {
  let main = module.default === undefined ? module : module.default;
  if (main && main.__esModule && main.default !== undefined) main = main.default;
  if (name) {
    const found = [module, main].find((one) => one && one[name] !== undefined);
    if (found) return found[name];
    const names = new Set([...Object.keys(module), ...Object.keys(Object(main))]);
    throw new Failure(NO_EXPORT, name, [...names].filter((one) => /^\w{1,60}$/.test(one)).join(", "));
  }
  const names = Object.keys(module).filter((one) => /Store$/.test(one) && isFunction(module[one]));
  return names.length === 1 ? module[names[0]] : main;
}

async function construct(candidate, session, options) {
  const made = await candidate;
  if (isStore(made) && !isFunction(made)) return made;
  if (isClass(made)) return new made(options);
  if (!isFunction(made)) return made;
  const second = await made(session);
  return isClass(second) ? new second(options) : second;
}

async function factory({ factory: code, file }) {
  if (file) return pick(await load(file));
  try {
    return (0, eval)(`(${code}\n)`);
  } catch (error) {
    report("factory", error);
    throw new Failure(BAD_FACTORY, ...about(error));
  }
}

async function open() {
  const { module: name, export: wanted, options } = settings;
  const session = await expressSession();
  const module = name ? await load(name) : undefined;
  let made;
  if (settings.factory || settings.file) {
    const make = await factory(settings);
    const given = { module, session, options, load, require };
    made = isFunction(make) && !isClass(make) ? await make(given) : await construct(make, session, options);
  } else made = await construct(pick(module, wanted), session, options);
  if (!made || typeof made !== "object") throw new Failure(NO_STORE, typeof made);
  const missing = ["get", "set", "destroy"].find((method) => !isFunction(made[method]));
  if (missing) throw new Failure(NO_METHOD, missing);
  return made;
}

function listen() {
  if (!isFunction(store.on)) return;
  const event = (which, error) => send(EVENT, Buffer.from([which]), ...about(error));
  store.on("connect", () => event(0));
  store.on("disconnect", () => event(1));
  store.on("error", (error) => {
    report("error", error);
    event(2, error);
  });
}

// Ends this process when its parent has ended, also while the store keeps the main thread busy.
async function watch(parent) {
  const code = `
    const parent = require("worker_threads").workerData;
    setInterval(() => {
      if (process.ppid === parent) return;
      try { process.kill(-process.pid, "SIGKILL"); } finally { process.kill(process.pid, "SIGKILL"); }
    }, 100);`;
  const worker = new Worker(code, { eval: true, workerData: parent, env: {} });
  worker.unref();
  await new Promise((resolve, reject) => worker.once("online", resolve).once("error", reject));
}

async function start(parent, given) {
  settings = given;
  try {
    if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
      throw new Failure(OLD_NODE, process.versions.node);
    }
    await watch(parent);
    store = await open();
    listen();
    send(READY);
  } catch (error) {
    if (!(error instanceof Failure)) report("start", error);
    const { parts } = error instanceof Failure ? error : new Failure(FACTORY_FAILED, ...about(error));
    end(FAILED, ...parts);
  }
}
