// The same store in each of the shapes that packages have.

const { EventEmitter } = require("events");

function methods(records) {
  return {
    get: (sid, callback) => process.nextTick(callback, null, records.get(sid)),
    set(sid, session, callback) {
      records.set(sid, session);
      process.nextTick(callback);
    },
    destroy(sid, callback) {
      records.delete(sid);
      process.nextTick(callback);
    },
  };
}

class ClassStore extends EventEmitter {
  constructor({ emits = [] } = {}) {
    super();
    this.records = new Map();
    for (const name of ["get", "set", "destroy"]) {
      ClassStore.prototype[name] = function (...given) {
        return methods(this.records)[name](...given);
      };
    }
    setTimeout(() => emits.forEach((event) => this.emit(event, new RangeError("hush"))), 20);
  }
  get() {}
  set() {}
  destroy() {}
}

// As connect-memcached and connect-redis 3 to 6 are.
function connect(session) {
  function Store(options) {
    session.Store.call(this, options);
    this.records = new Map();
  }
  Store.prototype = Object.create(session.Store.prototype);
  for (const name of ["get", "set", "destroy"]) {
    Store.prototype[name] = function (...given) {
      return methods(this.records)[name](...given);
    };
  }
  return Store;
}

// As TypeScript's users write them, so that `this` is always the store.
class Fields {
  records = new Map();
  get = (sid, callback) => methods(this.records).get(sid, callback);
  set = (sid, session, callback) => methods(this.records).set(sid, session, callback);
  destroy = (sid, callback) => methods(this.records).destroy(sid, callback);
}

const text = "not a store";
const half = { get() {}, set() {} };
module.exports = { ClassStore, Fields, connect, object: methods(new Map()), half, text };
