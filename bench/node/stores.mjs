// Runs one npm store: `node stores.mjs NAME URL`. Each line of its input is a task, each line of its output an answer.
import { createInterface } from 'node:readline';
import session from 'express-session';

const KEYS = 1000;
const TASKS = 64;
const [name, url] = process.argv.slice(2);

const open = {
  async 'connect-redis'() {
    const { RedisStore } = await import('connect-redis');
    const { createClient } = await import('redis');
    const client = createClient({ url });
    client.on('error', (error) => console.error(error));
    await client.connect();
    return new RedisStore({ client });
  },
  async 'connect-mongo'() {
    const { default: MongoStore } = await import('connect-mongo');
    return MongoStore.create({ mongoUrl: url, autoRemove: 'disabled' });
  },
  async 'connect-memcached'() {
    const { default: connect } = await import('connect-memcached');
    const MemcachedStore = connect(session);
    return new MemcachedStore({ hosts: [url] });
  },
  async 'session-file-store'() {
    const { default: connect } = await import('session-file-store');
    const FileStore = connect(session);
    return new FileStore({ path: url, reapInterval: -1, logFn() {} });
  },
};

const store = await open[name]();
const call = (method, ...rest) =>
  new Promise((resolve, reject) => store[method](...rest, (error, value) => (error ? reject(error) : resolve(value))));
const sid = (key) => `node${String(key).padStart(28, '0')}`;
let data;

const works = {
  async get(key) {
    const found = await call('get', sid(key));
    if (found?.views !== 1) throw new Error(`${name}: ${JSON.stringify(found)}`);
  },
  set: (key) => call('set', sid(key), data),
  touch: (key) => call('touch', sid(key), data),
};

async function run(work, ms) {
  const began = performance.now();
  const cpu = process.cpuUsage();
  let operations = 0;
  const task = async (number) => {
    for (let key = number * 15; performance.now() < began + ms; key++, operations++) await work(key % KEYS);
  };
  await Promise.all(Array.from({ length: TASKS }, (_, number) => task(number)));
  const { user, system } = process.cpuUsage(cpu);
  return { operations, seconds: (performance.now() - began) / 1000, cpu: user + system };
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.session) {
    data = JSON.parse(asked.session);
    for (let key = 0; key < KEYS; key++) await call('set', sid(key), data);
    console.log(JSON.stringify(await call('get', sid(0))));
  } else {
    console.log(JSON.stringify(await run(works[asked.work], asked.ms)));
  }
}
process.exit(0);
